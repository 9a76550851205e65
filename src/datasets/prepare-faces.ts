import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { FacesOptions } from "./faces-options.ts";
import { type FoldFile, foldsOf, writeFolds } from "./fold-file.ts";
import { packFaces } from "./pack-faces.ts";
import { readDataset } from "./read.ts";
import { readOracle } from "./synth/oracle-file.ts";
import type { Dataset } from "./types.ts";

interface Tools {
  readonly signal: AbortSignal;
  note(message: string): void;
}

/** Absolute path of the dataset. */
export const facesFolder = ({ dataset, data }: FacesOptions): string =>
  resolve(data ?? `data/datasets/${dataset === "synth" ? "synth-afew-va" : dataset}`);

/**
 * Reads the labels and parts the people into folds. Drawn faces that are not there yet are drawn first.
 *
 * @throws PipeError when the folder holds no such data, or too few people
 */
export async function splitDataset(
  options: FacesOptions,
  { signal, note }: Tools,
): Promise<{ dataset: Dataset; split: FoldFile }> {
  const folder = facesFolder(options);
  if (options.dataset === "synth" && !existsSync(folder)) {
    note(`drawing faces into ${folder}, which takes a minute or two …`);
    const { synthFaces } = await import("./synth/faces.ts");
    await synthFaces({ output: folder, signal });
  }
  const dataset = await readDataset(options.dataset, folder, { annotation: options.annotation, signal });
  return { dataset, split: foldsOf(dataset, options) };
}

/** Numbers of the folds that the options ask for. Throws a PipeError when there is no such fold. */
export function foldsWanted({ folds }: FoldFile, { fold }: FacesOptions): number[] {
  if (fold === "all") return [...folds.keys()];
  if (Number(fold) >= folds.length)
    throw new PipeError(`There is no fold ${fold}.`, { hint: `Folds: 0 to ${folds.length - 1}, or all.` });
  return [Number(fold)];
}

/** sha256 (hex) of a split and the number of a fold: what a model says that it was trained on. */
export const foldDigest = (split: FoldFile, fold: number): string => digestOf([split.sha256, String(fold)]);

export interface PreparedFaces {
  /** Absolute path of the face store. */
  readonly store: string;
  /** Absolute path of the fold file. */
  readonly split: string;
  readonly facts: Json;
}

/** Cuts the faces out, unless they are there already, and writes down who is in which fold. */
export async function prepareFaces(
  { dataset, split }: { dataset: Dataset; split: FoldFile },
  options: FacesOptions,
  { signal, note, progress }: Tools & { readonly progress?: (done: number, total: number) => void },
): Promise<PreparedFaces> {
  const place = resolve(options.store);
  const name = `${dataset.name}-${split.dataset.digest.slice(0, 12)}`;
  const store = join(place, `${name}-${options.side}`);
  const { side } = options;
  const { count, labelled, skipped } = await packFaces(dataset, store, {
    side,
    replace: true,
    signal,
    ...(progress && { progress }),
  });
  const file = join(place, `${name}-folds-${split.sha256.slice(0, 12)}.json`);
  await writeFolds(file, split);
  for (const line of dataset.notes) note(`${dataset.name}: ${line}`);
  const left = skipped.reduce((sum, { frames }) => sum + frames, 0);
  if (left > 0) note(`${dataset.name}: ${left} of ${labelled} labelled frames were left out, ${reasons(skipped)}`);
  return {
    store,
    split: file,
    facts: { name: dataset.name, digest: split.dataset.digest, faces: count, labelled, skipped: left },
  };
}

/** Pictures a second of the drawn data in a folder. */
export async function drawnRate(folder: string): Promise<number> {
  return (await readOracle(folder)).rate;
}

/** The first few, so that a note stays a note; the store's marker has them all. */
function reasons(skipped: readonly { readonly where: string; readonly reason: string }[]): string {
  const told = skipped.slice(0, 3).map(({ where, reason }) => `${where}: ${reason}`);
  return `${told.join("; ")}${skipped.length > told.length ? "; …" : ""}`;
}
