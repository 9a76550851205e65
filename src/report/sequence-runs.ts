import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type AffectScores, affectMetrics } from "../nn/metrics.ts";
import { type PredictedStep, readStepPredictions } from "./sequence-files.ts";
import { readPredictions, resultsIn, type TrainingResult } from "./training-result.ts";

/** One finished training of a sequence model on one fold, as `train-seq` left it. */
export interface SequenceRun {
  readonly folder: string;
  readonly fold: number;
  readonly folds: number;
  /** `anclaf-s`, `anclaf-sa`, or a control's name. */
  readonly model: string;
  readonly n: number;
  readonly seed: number;
  readonly dataset: string;
  readonly range: Readonly<Record<"valence" | "arousal", readonly [low: number, high: number]>>;
  readonly trainMean: Readonly<Record<"valence" | "arousal", number>>;
  /** Iteration of the checkpoint that was tested; null where it was the last. */
  readonly best: number | null;
  readonly result: TrainingResult;
  /** The test people's faces. */
  readonly steps: readonly PredictedStep[];
}

const interval = z.tuple([z.number(), z.number()]);
const pair = z.object({ valence: z.number(), arousal: z.number() });
const factsSchema = z.object({
  model: z.string(),
  n: z.int(),
  seed: z.int(),
  dataset: z.string(),
  range: z.object({ valence: interval, arousal: interval }),
  trainMean: pair,
  best: z.object({ iteration: z.int() }).nullable(),
});

/** Every finished training below a folder that `train-seq` wrote, by fold, model and length. */
export async function sequenceRuns(input: string): Promise<SequenceRun[]> {
  const entries = await readdir(input, { withFileTypes: true }).catch(() => []);
  const folds = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(input, name));
  const found = (await Promise.all(folds.map((folder) => resultsIn(folder)))).flat();
  const runs = await Promise.all(
    found.map(async ({ folder, result }): Promise<SequenceRun[]> => {
      const facts = factsSchema.safeParse(result.facts).data;
      if (facts === undefined) return [];
      const { fold, folds } = result;
      const { best, ...rest } = facts;
      const steps = await readStepPredictions(folder);
      return [{ folder, fold, folds, ...rest, best: best?.iteration ?? null, result, steps }];
    }),
  );
  const order = (a: SequenceRun, b: SequenceRun) =>
    a.fold - b.fold || (a.model < b.model ? -1 : a.model > b.model ? 1 : 0) || a.n - b.n;
  return runs.flat().sort(order);
}

/** What the frame models of `train-anclaf` said of the test people of these folds; folds without a training are left out. */
export async function frameRuns(
  input: string,
  folds: readonly number[],
): Promise<{ readonly fold: number; readonly result: TrainingResult; readonly steps: readonly Said[] }[]> {
  const found = (await resultsIn(input)).filter(({ result }) => folds.includes(result.fold));
  return Promise.all(
    found.map(async ({ folder, result }) => ({ fold: result.fold, result, steps: await readPredictions(folder) })),
  );
}

/** A face with its label and what was said of it, native units. */
export type Said = Pick<
  PredictedStep,
  "clip" | "frame" | "valence" | "arousal" | "predictedValence" | "predictedArousal"
>;

/** Scores over the faces that have a label; there must be one. */
export function scoresOf(steps: readonly Said[]): AffectScores {
  const known = steps.filter(({ valence, arousal }) => Number.isFinite(valence) && Number.isFinite(arousal));
  return affectMetrics(
    { valence: known.map((step) => step.predictedValence), arousal: known.map((step) => step.predictedArousal) },
    { valence: known.map((step) => step.valence), arousal: known.map((step) => step.arousal) },
  );
}
