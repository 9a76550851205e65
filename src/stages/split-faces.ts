import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { DATASETS, type DatasetName } from "../datasets/names.ts";
import { CHANNELS } from "../datasets/sewa-files.ts";
import type { Dataset } from "../datasets/types.ts";
import { canonical, digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { type Context, defineStage } from "./define.ts";

/**
 * The start of training: a labelled dataset, its people parted into folds, and its faces cut out once into a store that
 * all folds share. Each fold is a source of its own, so that folds are planned, cached and reported one by one.
 */
export default defineStage({
  name: "split-faces",
  summary: "a labelled dataset → fold: faces cut out once, nobody in two parts",
  version: 1,
  takes: "none",
  gives: "fold",
  options: z.strictObject({
    dataset: z.enum(DATASETS).default("synth").describe("whose layout the data has; synth: faces that are drawn"),
    data: z.string().min(1).optional().describe("the dataset's folder; default: data/datasets/NAME"),
    annotation: z.enum(CHANNELS).default("AV").describe("SEWA: what its annotators had, sound, picture or both"),
    folds: z.int().min(3).default(5).describe("how many folds, balanced by frames"),
    fold: z
      .string()
      .regex(/^(all|\d+)$/)
      .default("all")
      .describe("which fold is the test set, counted from 0; or all, one after the other"),
    seed: z.int().nonnegative().default(1).describe("decides who goes into which fold"),
    store: z.string().min(1).default("data/cache/faces").describe("folder that keeps the faces that were cut out"),
    side: z.int().min(16).max(1024).default(128).describe("width and height of a face, pixels"),
  }),
  runtime: ["data", "store", "fold"],
  async *sources(options, { signal, note }) {
    const folder = folderOf(options);
    if (options.dataset === "synth") await drawMissing(folder, signal, note);
    const { foldsOf } = await import("../datasets/fold-file.ts");
    const split = foldsOf(await read(options, signal), options);
    const wanted = options.fold === "all" ? [...split.folds.keys()] : [Number(options.fold)];
    for (const fold of wanted) {
      if (fold >= split.folds.length)
        throw new PipeError(`There is no fold ${fold}.`, { hint: `Folds: 0 to ${split.folds.length - 1}, or all.` });
      yield {
        path: folder,
        name: `${options.dataset}/fold-${fold}`,
        bytes: 0,
        digest: digestOf([split.sha256, String(fold)]),
      };
    }
  },
  run: (options, context) =>
    async function* () {
      const packed = await context.shared(`split-faces ${canonical(options as Json)}`, () => pack(options, context));
      context.facts.dataset = packed.facts;
      yield {
        kind: "fold",
        fold: Number(/\d+$/.exec(context.source.name)![0]),
        folds: options.folds,
        store: packed.store,
        split: packed.split,
      };
    },
});

interface Options {
  readonly dataset: DatasetName;
  readonly data?: string | undefined;
  readonly annotation: (typeof CHANNELS)[number];
  readonly folds: number;
  readonly seed: number;
  readonly store: string;
  readonly side: number;
}

const folderOf = ({ dataset, data }: Options): string =>
  resolve(data ?? `data/datasets/${dataset === "synth" ? "synth-afew-va" : dataset}`);

async function read(options: Options, signal: AbortSignal): Promise<Dataset> {
  const { readDataset } = await import("../datasets/read.ts");
  return readDataset(options.dataset, folderOf(options), { annotation: options.annotation, signal });
}

async function drawMissing(folder: string, signal: AbortSignal, note: (message: string) => void): Promise<void> {
  if (existsSync(folder)) return;
  note(`split-faces: drawing faces into ${folder}, which takes a minute or two …`);
  const { synthFaces } = await import("../datasets/synth/faces.ts");
  await synthFaces({ output: folder, signal });
}

interface PackedFaces extends AsyncDisposable {
  readonly store: string;
  readonly split: string;
  readonly facts: Json;
}

/** Cuts the faces out, unless they are there already, and writes down who is in which fold. */
async function pack(options: Options, { signal, note, standing }: Context): Promise<PackedFaces> {
  const { foldsOf, writeFolds } = await import("../datasets/fold-file.ts");
  const { packFaces } = await import("../datasets/pack-faces.ts");
  const dataset = await read(options, signal);
  const split = foldsOf(dataset, options);
  const place = resolve(options.store);
  const name = `${dataset.name}-${split.dataset.digest.slice(0, 12)}`;
  const store = join(place, `${name}-${options.side}`);
  const progress = (done: number, total: number) => standing(0, `cutting out face ${done}/${total}`);
  const { count, labelled, skipped } = await packFaces(dataset, store, {
    side: options.side,
    replace: true,
    signal,
    progress,
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
    async [Symbol.asyncDispose]() {},
  };
}

/** The first few, so that a note stays a note; the store's marker has them all. */
function reasons(skipped: readonly { readonly where: string; readonly reason: string }[]): string {
  const told = skipped.slice(0, 3).map(({ where, reason }) => `${where}: ${reason}`);
  return `${told.join("; ")}${skipped.length > told.length ? "; …" : ""}`;
}
