import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { fingerprint } from "../cache/fingerprint.ts";
import { PipeError } from "../errors.ts";
import { readCheckpoint } from "../nn/checkpoint.ts";
import type { FoldedClip, FoldsAsked } from "../records.ts";
import { RESULT_FILE, readResult, resultsIn, type TrainingResult } from "./training-result.ts";

/** Weights that a fold's training published. */
export interface FoldModel {
  /** Absolute path of the `.safetensors` file. */
  readonly path: string;
  /** sha256 of the file, hex. */
  readonly digest: string;
}

export const MODEL_FILE = "model.safetensors";

/**
 * The model of a clip's fold, from the folder of a training of all folds. What the training wrote down must be of this
 * very split and fold: latents of a fold's test people, made by a model that learned from them, would flatter every
 * sequence model after it (the published code encodes all folds with the first one's).
 *
 * Models are hashed once a process, and again when their files change.
 *
 * @throws PipeError when the fold has no finished training, or one that differs, naming the fields
 */
export async function foldModel(
  models: string,
  clip: Pick<FoldedClip, "fold" | "folds" | "digest">,
  preset: string,
): Promise<FoldModel> {
  const folder = join(resolve(models), nameOf(clip.fold));
  const print = await printOf(folder);
  let known = seen.get(folder);
  if (known?.print !== print) {
    known = { print, training: readTraining(folder) };
    seen.set(folder, known);
  }
  const training = await known.training;
  if (training === undefined)
    throw new PipeError(`${folder} holds no finished training of fold ${clip.fold}, or its files were changed since.`, {
      hint: `Train it: pipe run train-anclaf --fold ${clip.fold} --output ${models}`,
    });
  const { result, model, metadata } = training;
  const wrong = differences([
    ["fold", result.fold, clip.fold],
    ["folds", result.folds, clip.folds],
    ["data", result.source.digest, clip.digest],
    ["the model's fold", metadata.fold, `${clip.fold} of ${clip.folds}`],
    ["the model's data", metadata.data, clip.digest],
    ["the model's preset", metadata.preset, preset],
  ]);
  if (wrong !== "") throw unfit(model.path, wrong);
  return model;
}

/**
 * Looks whether there are finished trainings of these folds, of this preset and of people parted in this way, before
 * anything is begun with their models. Whether their data is the same shows when it is read: see {@link foldModel}.
 *
 * @throws PipeError when there is none at all, naming the fields in which one differs, or naming the folds without one
 */
export async function checkTrained(
  models: string,
  preset: string,
  { folds, split }: FoldsAsked = { folds: [], split: {} },
): Promise<void> {
  const results = await resultsIn(models);
  if (results.length === 0)
    throw new PipeError(`${models} holds no finished training, whose models are to be taken.`, {
      hint: "Train first: pipe run train-anclaf; or name the folder that it wrote: --models DIR",
    });
  const trained = new Map(results.map(({ folder, result }) => [basename(folder), { folder, result }]));
  for (const fold of folds) {
    const one = trained.get(nameOf(fold));
    if (one) await checkMadeFor(one, { preset, ...split });
  }
  const missing = folds.filter((fold) => !trained.has(nameOf(fold)));
  if (missing.length === 0) return;
  const other = folds.find((fold) => trained.has(nameOf(fold)));
  const alone = other === undefined ? "" : `; or take a fold alone: --fold ${other}`;
  throw new PipeError(
    `${models} holds no finished training of fold${missing.length > 1 ? "s" : ""} ${missing.join(", ")}, or files were changed since.`,
    { hint: `Train what is missing: pipe run train-anclaf --fold ${missing[0]} --output ${models}${alone}` },
  );
}

/** Throws where a training says that it was done with other options; what it does not say is not known here. */
async function checkMadeFor(
  { folder, result }: { folder: string; result: TrainingResult },
  wanted: Readonly<Record<string, string | number>>,
): Promise<void> {
  if (result.files[MODEL_FILE] === undefined) return;
  const path = join(folder, MODEL_FILE);
  const { preset } = (await readCheckpoint(path)).metadata;
  const split = splitSchema.safeParse(result.keyParts).data?.steps[0].options;
  const said: Readonly<Record<string, string | number | undefined>> = { ...split, preset };
  const wrong = differences(Object.entries(wanted).map(([name, value]): Field => [name, said[name] ?? value, value]));
  if (wrong !== "") throw unfit(path, wrong);
}

/** What a training's key says of the step that parted the people. */
const splitSchema = z.object({
  steps: z.tuple(
    [
      z.object({
        stage: z.literal("split-faces"),
        options: z.object({ dataset: z.string(), folds: z.number(), seed: z.number() }),
      }),
    ],
    z.unknown(),
  ),
});

function unfit(path: string, wrong: string): PipeError {
  return new PipeError(`${path} is not the model that this fold needs: ${wrong}.`, {
    hint: "Give the dataset, split seed, folds and preset that the models were trained with, or train with these.",
  });
}

/** Name of a fold's folder inside that of a training. */
const nameOf = (fold: number): string => `fold-${fold}`;

interface Training {
  readonly result: TrainingResult;
  readonly model: FoldModel;
  readonly metadata: Readonly<Record<string, string>>;
}

const seen = new Map<string, { readonly print: string; readonly training: Promise<Training | undefined> }>();

async function readTraining(folder: string): Promise<Training | undefined> {
  const result = await readResult(folder);
  if (result?.files[MODEL_FILE] === undefined) return undefined;
  const path = join(folder, MODEL_FILE);
  const { digest, metadata } = await readCheckpoint(path);
  return { result, model: { path, digest }, metadata };
}

async function printOf(folder: string): Promise<string> {
  const print = async (name: string) =>
    stat(join(folder, name), { bigint: true }).then(fingerprint, () => `no ${name}`);
  return (await Promise.all([RESULT_FILE, MODEL_FILE].map(print))).join(" ");
}

type Field = readonly [name: string, is: number | string | undefined, wanted: number | string];

function differences(fields: readonly Field[]): string {
  return fields
    .filter(([, is, wanted]) => is !== wanted)
    .map(([name, is, wanted]) => `${name} is ${short(is)} where ${short(wanted)} is wanted`)
    .join("; ");
}

function short(value: number | string | undefined): string {
  if (value === undefined) return "not told";
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, 12)}…` : String(value);
}
