import { type AffectScores, METRICS, type Metric, type Spread, spreadOf } from "../nn/metrics.ts";
import { type ModelResults, nameOf, type RunScores } from "./experiment.ts";

export const DIMENSIONS = ["valence", "arousal", "average"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/**
 * Mean and deviation of a model's runs; null where it is undefined in every run, or not known in any. A run where it is
 * undefined beside others where it is not counts as 0, as everywhere in this project: to leave it out would flatter.
 */
export function summaryOf(
  runs: readonly Pick<RunScores, "scores">[],
  dimension: Dimension,
  metric: Metric,
): Spread | null {
  const values = runs.map(({ scores }) => scores[dimension][metric]);
  if (!values.every(Number.isFinite)) return null;
  if (runs.every(({ scores }) => isUndefined(scores, dimension, metric))) return null;
  return spreadOf(values);
}

/** One set's score; null where it is undefined or not known. */
export function scoreOf(scores: AffectScores, dimension: Dimension, metric: Metric): number | null {
  const value = scores[dimension][metric];
  return Number.isFinite(value) && !isUndefined(scores, dimension, metric) ? value : null;
}

/** Whether the score is of something constant: COR, CCC and ICC are 0 by definition then, and mean nothing. */
export function isUndefined(scores: AffectScores, dimension: Dimension, metric: Metric): boolean {
  if (metric === "rmse") return false;
  if (dimension === "average") return scores.valence.constant !== null && scores.arousal.constant !== null;
  return scores[dimension].constant !== null;
}

/** Sentences about the models' undefined and unknown scores. */
export function undefinedNotes(models: readonly ModelResults[]): string[] {
  return models.flatMap((model) =>
    (["valence", "arousal"] as const).flatMap((dimension) => [
      ...constantNotes(model, dimension),
      ...unknownNotes(model, dimension),
    ]),
  );
}

/** "5 folds", "1 fold", "10 trainings (5 folds × 2 seeds)"; "9 trainings (5 folds, 2 seeds)" where not all were trained. */
export function runsInWords(runs: readonly RunScores[]): string {
  const folds = new Set(runs.map(({ fold }) => fold)).size;
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  if (seeds === 1) return count(folds, "fold");
  const by = folds * seeds === runs.length ? " ×" : ",";
  return `${count(runs.length, "training")} (${count(folds, "fold")}${by} ${count(seeds, "seed")})`;
}

/** Frames that runs were tested on, each once: seeds of one fold have the same. */
export function framesOf(runs: readonly RunScores[]): number {
  const byFold = new Map<number, number>();
  for (const { fold, frames } of runs) byFold.set(fold, Math.max(byFold.get(fold) ?? 0, frames));
  return [...byFold.values()].reduce((sum, frames) => sum + frames, 0);
}

/** Whether some fold was trained more than once. */
export function severalSeeds(runs: readonly RunScores[]): boolean {
  return new Set(runs.map(({ fold }) => fold)).size < runs.length;
}

function constantNotes(model: ModelResults, dimension: "valence" | "arousal"): string[] {
  const runs = model.runs.filter(({ scores }) => scores[dimension].constant !== null);
  if (runs.length === 0) return [];
  const all = runs.length === model.runs.length;
  const what = new Set(runs.map(({ scores }) => scores[dimension].constant));
  const why = what.size > 1 || what.has("both") ? "predictions or labels" : [...what][0];
  return [
    `${nameOf(model)}, ${dimension}: ${why} are constant in ${all ? "every run" : whichRuns(runs)}; ` +
      `COR, CCC and ICC are undefined there${all ? "" : " and count as 0"}.`,
  ];
}

function unknownNotes(model: ModelResults, dimension: "valence" | "arousal"): string[] {
  const unknown = METRICS.filter((metric) =>
    model.runs.some(({ scores }) => !Number.isFinite(scores[dimension][metric])),
  );
  if (unknown.length === 0) return [];
  return [`${nameOf(model)}, ${dimension}: ${unknown.join(", ").toUpperCase()} not known.`];
}

function whichRuns(runs: readonly RunScores[]): string {
  return runs.map(({ fold, seed }) => `fold ${fold}${seed === null ? "" : ` seed ${seed}`}`).join(", ");
}
