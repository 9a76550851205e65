import { readFile } from "node:fs/promises";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { canonical, digestOf, type Json } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { datasetDigest } from "./dataset-digest.ts";
import { type Fold, type FoldsOptions, makeFolds } from "./folds.ts";
import type { Dataset, LabelledClip } from "./types.ts";

const foldFile = z.strictObject({
  format: z.literal(1),
  /** Name and digest of the dataset that the folds were made of. */
  dataset: z.strictObject({ name: z.string(), digest: z.string() }),
  seed: z.int(),
  folds: z
    .array(
      z.strictObject({
        clips: z.array(z.string()).readonly(),
        groups: z.array(z.string()).readonly(),
        frames: z.int().nonnegative(),
        validation: z.int().nonnegative(),
      }),
    )
    .min(3)
    .readonly(),
  /** sha256 of all the rest. */
  sha256: z.string(),
});

/** Folds as they are published with results. */
export interface FoldFile {
  readonly format: 1;
  readonly dataset: { readonly name: string; readonly digest: string };
  readonly seed: number;
  readonly folds: readonly Fold[];
  readonly sha256: string;
}

/** The folds of a dataset, as {@link makeFolds} makes them; equal dataset and options, equal file. */
export function foldsOf(dataset: Dataset, options: FoldsOptions): FoldFile {
  const folds = makeFolds(dataset.clips, options);
  const { name } = dataset;
  return sealed({ format: 1, dataset: { name, digest: datasetDigest(dataset) }, seed: options.seed, folds });
}

/** Writes the folds as JSON; the file appears whole or not at all. */
export async function writeFolds(path: string, folds: FoldFile): Promise<void> {
  await using file = await TextFile.open(path);
  await file.write(`${JSON.stringify(JSON.parse(canonical(folds as unknown as Json)), null, 2)}\n`);
  await file.publish();
}

/**
 * Reads a fold file and checks its hash.
 *
 * @throws PipeError when it cannot be read, is no fold file, or was changed after it was written
 */
export async function readFolds(path: string): Promise<FoldFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new PipeError(`${path}: the folds cannot be read: ${reasonOf(cause)}`, { cause });
  }
  const parsed = foldFile.safeParse(value);
  if (!parsed.success) throw new PipeError(`${path} is not a fold file: ${z.prettifyError(parsed.error)}`);
  const { sha256, ...rest } = parsed.data;
  if (sealed(rest).sha256 !== sha256)
    throw new PipeError(`${path} was changed after it was written: its hash does not fit.`, {
      hint: "Take the file as it was published, or make folds anew.",
    });
  return parsed.data;
}

/**
 * Checks that the folds part just these clips, each into one fold, and no group into two.
 *
 * @throws PipeError that names the first clips that do not fit
 */
export function matchFolds(folds: FoldFile, clips: readonly Pick<LabelledClip, "id" | "group">[]): void {
  const groupOf = new Map(clips.map((clip) => [clip.id, clip.group]));
  const foldOfGroup = new Map<string, number>();
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const [number, fold] of folds.folds.entries()) {
    if (fold.validation >= folds.folds.length || fold.validation === number)
      problems.push(`fold ${number} is validated by fold ${fold.validation}`);
    for (const clip of fold.clips) {
      const group = groupOf.get(clip);
      if (seen.has(clip)) problems.push(`clip ${clip} is in it twice`);
      seen.add(clip);
      if (group === undefined) {
        problems.push(`clip ${clip} is not in the dataset`);
        continue;
      }
      const home = foldOfGroup.get(group) ?? number;
      foldOfGroup.set(group, home);
      if (home !== number) problems.push(`${group} stands in folds ${home} and ${number}`);
    }
  }
  for (const { id } of clips) if (!seen.has(id)) problems.push(`clip ${id} is in no fold`);
  if (problems.length === 0) return;
  const shown = problems.slice(0, MOST).join("; ");
  const more = problems.length > MOST ? `; and ${problems.length - MOST} more` : "";
  throw new PipeError(`The folds of ${folds.dataset.name} do not fit the dataset: ${shown}${more}.`, {
    hint: "Were they made of another version of it? Make folds anew, or take the dataset that they were made of.",
  });
}

const MOST = 5;

function sealed(file: Omit<FoldFile, "sha256">): FoldFile {
  return { ...file, sha256: digestOf(file as unknown as Json) };
}
