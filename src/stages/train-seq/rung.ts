import { join } from "node:path";
import type { WindowReader } from "../../cache/window-reader.ts";
import type { LabelRange } from "../../datasets/types.ts";
import type { WindowLabels } from "../../datasets/window-labels.ts";
import { digestOf, type Json } from "../../digest.ts";
import { makeFolder } from "../../disk.ts";
import type { TrainingResult } from "../../report/training-result.ts";
import type { Rung } from "../../systems/anclaf/curriculum.ts";
import type { TrainedRung } from "../../systems/anclaf/train-rung.ts";
import type { WindowParts, WindowSet } from "../../systems/anclaf/window-parts.ts";
import type { Context } from "../define.ts";
import { asJson, datasetIn } from "./label-facts.ts";
import { type Options, settingsIn } from "./options.ts";

/** What all trainings of a fold share. */
export interface Work {
  /** The fold's. */
  readonly folder: string;
  readonly set: WindowSet;
  readonly options: Options;
  readonly context: Context;
}

/** A training with its result, in a folder of its own. */
export interface Finished {
  readonly folder: string;
  readonly result: TrainingResult;
}

/** One training on the way. */
export interface One {
  readonly rung: Rung;
  /** Its own. */
  readonly folder: string;
  readonly from: Finished | null;
  /** Path of the frame model whose encoder fresh weights begin with. */
  readonly frame: string | null;
  /** sha256 of the frame model that made what is read, which scoring with this model needs. */
  readonly maker: string | undefined;
  readonly keyParts: Json;
  readonly windows: WindowParts;
  readonly data: Json;
  readonly range: LabelRange;
  readonly labels: WindowLabels;
  readonly reader: WindowReader;
  standing(iteration: number, words: string): void;
}

/** Trains, tests and publishes it; goes on where it was interrupted. */
export async function trainOne({ set, options, context }: Work, one: One): Promise<void> {
  const { inWords } = await import("../../nn/fit/words.ts");
  const { MODEL_FILE } = await import("../../report/fold-model.ts");
  const { sequenceInput } = await import("../../systems/anclaf/sequence-input.ts");
  const { trainRung } = await import("../../systems/anclaf/train-rung.ts");
  const { attention, seed, validateEvery, patience, engine, provider, threads } = options;
  const { rung, folder, from, frame, windows, data, range, labels, reader, standing } = one;
  const { signal, drain, note } = context;
  await makeFolder(folder);
  const saving = () => note("Saving at the end of this iteration; the same command goes on from there.");
  drain.addEventListener("abort", saving);
  const trained = await trainRung(rung, {
    folder,
    windows,
    input: sequenceInput(set.shape),
    attention,
    reader,
    labels,
    range,
    from: from && { last: join(from.folder, from.result.facts.last as string), best: join(from.folder, MODEL_FILE) },
    frame,
    data,
    seed,
    ...settingsIn(options),
    validateEvery,
    ...(patience && { patience }),
    engine,
    provider,
    ...(threads && { threads }),
    signal: AbortSignal.any([signal, drain]),
    progress: (event) => {
      if (event.event === "step") standing(event.iteration, inWords(event));
      if (event.event === "warning") note(event.message);
    },
    testing: () => standing(rung.steps, "testing"),
  }).finally(() => drain.removeEventListener("abort", saving));
  await publishOne({ set, options, context }, one, trained);
}

/** Writes weights, predictions, attention and, last of all, the result that names them. */
async function publishOne(
  { set, options: { seed, attention }, context }: Omit<Work, "folder">,
  { rung, folder, keyParts, maker, windows, range, labels }: One,
  { weights, test, last, facts }: TrainedRung,
): Promise<void> {
  const { exportWeights } = await import("../../nn/fit/export.ts");
  const { MODEL_FILE } = await import("../../report/fold-model.ts");
  const { ATTENTION_FILE, writeAttention, writeStepPredictions } = await import("../../report/sequence-files.ts");
  const { PREDICTIONS_FILE, writeResult } = await import("../../report/training-result.ts");
  const { sequenceInput } = await import("../../systems/anclaf/sequence-input.ts");
  const { intervalOf } = await import("../../cache/windows.ts");
  const input = sequenceInput(set.shape);
  const interval = intervalOf(windows.training);
  const { fold, folds, digest } = set.fold;
  const dataset = datasetIn(context.facts);
  const about = {
    preset: input.preset,
    input: input.kind,
    variant: rung.variant,
    attention: rung.variant === "sa" ? attention : rung.variant === "uniform" ? "uniform" : "none",
    n: rung.n,
  };
  await writeStepPredictions(folder, test.steps);
  const attends = test.attention.length > 0;
  if (attends) await writeAttention(folder, rung.n, test.attention);
  await exportWeights(
    join(folder, MODEL_FILE),
    [weights],
    {
      trainedOn: dataset === "synth" ? "synthetic faces" : dataset,
      command: `train-seq ${JSON.stringify({ ...rung, seed })}`,
      seed,
      metrics: test.metrics,
      more: {
        ...about,
        n: `${rung.n}`,
        ...(input.kind === "latents" && { zq: input.form }),
        fold: `${fold} of ${folds}`,
        data: digest,
        ...(maker !== undefined && { encoder: maker }),
        ...(interval > 0 && { interval: `${interval}` }),
        range: JSON.stringify(range),
      },
    },
    "f32",
  );
  const files = [MODEL_FILE, PREDICTIONS_FILE, "log.jsonl", last, ...(attends ? [ATTENTION_FILE] : [])];
  await writeResult(
    folder,
    {
      key: digestOf(keyParts),
      keyParts,
      ...placeOf(context, set),
      metrics: test.metrics,
      facts: {
        ...facts,
        ...about,
        model: rung.family,
        dataset,
        last,
        seed,
        range: asJson(range),
        interval: interval > 0 ? interval : null,
        trainMean: { ...labels.mean },
        frames: { training: labels.frames, test: test.steps.length },
      },
    },
    files,
  );
}

/** Where the windows came from. */
export function placeOf({ source: { name, digest, path } }: Context, { fold: { fold, folds } }: WindowSet) {
  return { source: { name, digest }, fold, folds, store: path, data: path };
}
