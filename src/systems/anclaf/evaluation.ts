import { PipeError } from "../../errors.ts";
import {
  type AffectScores,
  type AffectSeries,
  affectMetrics,
  METRICS,
  type Metric,
  record,
  type Spread,
  spreadOf,
} from "../../nn/metrics.ts";

/** One fold's test set: all frames of all its clips. */
export interface FoldPredictions {
  /** Number of the fold, for notes and errors. */
  readonly fold: number;
  /** Native units, frame by frame, as are the labels. */
  readonly predictions: AffectSeries;
  readonly labels: AffectSeries;
  /** Mean labels of the fold's training frames: the answer of a model that never looks. */
  readonly trainMean: Readonly<Record<"valence" | "arousal", number>>;
}

export interface FoldScores {
  readonly fold: number;
  readonly frames: number;
  readonly scores: AffectScores;
  /** Of the training mean, on the same frames. */
  readonly trainMean: AffectScores;
}

/** Scores over folds. `average` is the mean of valence and arousal, within each fold. */
export interface Summary {
  /** Mean and deviation of the folds' own scores: the papers' way, as far as can be told. */
  readonly spread: Readonly<Record<"valence" | "arousal" | "average", Readonly<Record<Metric, Spread>>>>;
  /** All frames of all folds as one set. */
  readonly pooled: AffectScores;
}

export interface Evaluation {
  readonly folds: readonly FoldScores[];
  readonly frames: number;
  readonly model: Summary;
  readonly trainMean: Summary;
}

/**
 * Scores the test predictions of each fold, and sums them up (ANCLaF §4.2; how the paper joins its folds it does not say).
 *
 * @throws PipeError, naming the fold, without folds or frames, for a fold that comes twice, for series of different
 * lengths or numbers that are not finite
 */
export function evaluate(folds: readonly FoldPredictions[]): Evaluation {
  if (folds.length === 0) throw new PipeError("There are no folds to evaluate.");
  const twice = folds.find(({ fold }, i) => folds.findIndex((other) => other.fold === fold) < i);
  if (twice) throw new PipeError(`Fold ${twice.fold} is given twice.`);
  const constant = (fold: FoldPredictions): AffectSeries => ({
    valence: new Float64Array(fold.labels.valence.length).fill(fold.trainMean.valence),
    arousal: new Float64Array(fold.labels.arousal.length).fill(fold.trainMean.arousal),
  });
  const scored = folds.map(
    (fold): FoldScores => ({
      fold: fold.fold,
      frames: fold.labels.valence.length,
      scores: named(fold, () => affectMetrics(fold.predictions, fold.labels)),
      trainMean: named(fold, () => affectMetrics(constant(fold), fold.labels)),
    }),
  );
  const labels = joined(folds.map((fold) => fold.labels));
  return {
    folds: scored,
    frames: scored.reduce((sum, { frames }) => sum + frames, 0),
    model: {
      spread: spread(scored.map(({ scores }) => scores)),
      pooled: affectMetrics(joined(folds.map((fold) => fold.predictions)), labels),
    },
    trainMean: {
      spread: spread(scored.map(({ trainMean }) => trainMean)),
      pooled: affectMetrics(joined(folds.map(constant)), labels),
    },
  };
}

function named<T>({ fold }: FoldPredictions, score: () => T): T {
  try {
    return score();
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    throw new PipeError(`Fold ${fold}: ${error.message}`, { cause: error, ...(error.hint && { hint: error.hint }) });
  }
}

function spread(folds: readonly AffectScores[]): Summary["spread"] {
  const of = (dimension: "valence" | "arousal" | "average") =>
    record((metric) => spreadOf(folds.map((fold) => fold[dimension][metric])));
  return { valence: of("valence"), arousal: of("arousal"), average: of("average") };
}

function joined(series: readonly AffectSeries[]): AffectSeries {
  const join = (arrays: readonly ArrayLike<number>[]) => arrays.flatMap((array) => Array.from(array));
  return { valence: join(series.map((s) => s.valence)), arousal: join(series.map((s) => s.arousal)) };
}

/** A row of a table in the papers' form: what is unknown is left out. */
export interface ResultRow {
  readonly name: string;
  readonly figures: Readonly<Record<"valence" | "arousal" | "average", Readonly<Partial<Record<Metric, Figure>>>>>;
  readonly frames?: number;
}

export type Figure = number | Spread;

/** A model's rows: mean over folds, pooled; and, once a table, the same of the training mean. */
export function rowsOf(name: string, evaluation: Evaluation): ResultRow[] {
  return summaryRows(name, evaluation.model, evaluation);
}

export function baselineRows(evaluation: Evaluation): ResultRow[] {
  return summaryRows("Training mean", evaluation.trainMean, evaluation);
}

function summaryRows(name: string, { spread, pooled }: Summary, { folds, frames }: Evaluation): ResultRow[] {
  const count = folds.length === 1 ? "1 fold" : `mean of ${folds.length} folds`;
  const rows: ResultRow[] = [{ name: `${name}, ${count}`, figures: spread, frames }];
  if (folds.length === 1) return rows;
  const { valence, arousal, average } = pooled;
  const of = (scores: Readonly<Record<Metric, number>>) => record((metric) => scores[metric]);
  const figures = { valence: of(valence), arousal: of(arousal), average: of(average) };
  return [...rows, { name: `${name}, pooled`, figures, frames }];
}

/** One row a fold, for whoever wants to see how far they are apart. */
export function foldRows(name: string, { folds }: Evaluation): ResultRow[] {
  return folds.map(({ fold, frames, scores }) => ({ name: `${name}, fold ${fold}`, figures: scores, frames }));
}

/** Rows in the papers' columns; `report/table.ts` makes text of it. */
export interface ResultTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (
    | string
    | number
    | null
    | { readonly value: number; readonly sd: number | null }
  )[])[];
  readonly notes: readonly string[];
  /** Digits after the point. Default 3, the papers'. */
  readonly digits?: number;
}

/** RMSE | COR | ICC (Table 1, AFEW-VA) or CCC (Table 2, SEWA), each for valence, arousal and their mean, and frames. */
export function resultTable(
  title: string,
  rows: readonly ResultRow[],
  { metrics = METRICS, notes = [] }: { metrics?: readonly Metric[]; notes?: readonly string[] } = {},
): ResultTable {
  const dimensions = ["valence", "arousal", "average"] as const;
  const short = { valence: "VAL", arousal: "ARO", average: "AVG" };
  const each = metrics.flatMap((metric) => dimensions.map((dimension) => ({ metric, dimension })));
  return {
    title,
    columns: ["Model", ...each.map(({ metric, dimension }) => `${metric.toUpperCase()} ${short[dimension]}`), "Frames"],
    rows: rows.map(({ name, figures, frames = null }) => [
      name,
      ...each.map(({ metric, dimension }) => cellOf(figures[dimension][metric])),
      frames,
    ]),
    notes,
  };
}

function cellOf(figure: Figure | undefined): number | null | { value: number; sd: number | null } {
  if (figure === undefined) return null;
  return typeof figure === "number" ? figure : { value: figure.mean, sd: figure.sd };
}
