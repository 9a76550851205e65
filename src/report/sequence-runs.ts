import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type AffectScores, affectMetrics } from "../nn/metrics.ts";
import { type PredictedStep, readStepPredictions } from "./sequence-files.ts";
import { readPredictions, resultsIn, type TrainingResult } from "./training-result.ts";

/** One finished training of a sequence model on one fold, as `train-seq` left it. */
export interface SequenceRun extends SequenceTraining {
  /** The test people's faces. */
  readonly steps: readonly PredictedStep[];
}

/** The same before its predictions are read. */
export interface SequenceTraining {
  /** The folder that `train-seq` wrote, and in it that of this training; absolute paths. */
  readonly input: string;
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

/** Reads what trainings said of their test people; they come by fold, model, length and seed. */
export async function sequenceRuns(trainings: readonly SequenceTraining[]): Promise<SequenceRun[]> {
  return Promise.all(
    trainings.toSorted(inOrder).map(async (one) => ({ ...one, steps: await readStepPredictions(one.folder) })),
  );
}

/** Every finished training below a folder that `train-seq` wrote, by fold, model and length; none where there is no such folder. */
export async function trainingsIn(input: string): Promise<SequenceTraining[]> {
  const entries = await readdir(input, { withFileTypes: true }).catch(() => []);
  const folds = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(input, name));
  const found = (await Promise.all(folds.map((folder) => resultsIn(folder)))).flat();
  return found
    .flatMap(({ folder, result }): SequenceTraining[] => {
      const facts = factsSchema.safeParse(result.facts).data;
      if (facts === undefined) return [];
      const { fold, folds } = result;
      return [{ input, folder, fold, folds, ...facts, best: facts.best?.iteration ?? null, result }];
    })
    .sort(inOrder);
}

function inOrder(a: SequenceTraining, b: SequenceTraining): number {
  return a.fold - b.fold || (a.model < b.model ? -1 : a.model > b.model ? 1 : 0) || a.n - b.n || a.seed - b.seed;
}

/** Of each fold's model of a length the training with the lowest seed: what is shown where one must stand for all. */
export function firstSeeds<T extends Pick<SequenceTraining, "fold" | "model" | "n" | "seed">>(runs: readonly T[]): T[] {
  return runs.filter(
    (run) =>
      !runs.some(
        ({ fold, model, n, seed }) => fold === run.fold && model === run.model && n === run.n && seed < run.seed,
      ),
  );
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
