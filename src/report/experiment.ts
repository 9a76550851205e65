import type { AffectScores, Metric, Spread } from "../nn/metrics.ts";

/**
 * All that a report of one experiment shows, as plain data: `writeExperimentReport` makes a page, figures and tables of
 * it. `checkExperiment` says what does not fit together.
 */
export interface Experiment {
  readonly title: string;
  /** Its name as a reader knows it: AFEW-VA, SEWA, drawn faces. */
  readonly dataset: string;
  /** What of it is not real, in plain words; null where all is. */
  readonly synthetic: string | null;
  /** Lowest and highest label, native units; all scores and series are in these. */
  readonly range: readonly [low: number, high: number];
  /** Columns of the main table, in order: RMSE, COR, ICC as in Table 1, or RMSE, COR, CCC as in Table 2. */
  readonly metrics: readonly Metric[];
  /** What made it: dataset, seeds, folds, commands, origin of weights, versions. */
  readonly facts: readonly Fact[];
  /** What one must know before believing a figure; a sentence each. */
  readonly notes: readonly string[];
  /** Ours, in the table's order. */
  readonly models: readonly ModelResults[];
  /** The papers' rows, in the table's order; those of a name that `models` has are shown beside ours. */
  readonly paper: readonly PaperResults[];
  /** How much better some of the models are than others, in the table's order. */
  readonly gains: readonly Gain[];
  readonly bySeen: ScoresBySeen;
  readonly traces: readonly Trace[];
  readonly correlations: readonly CorrelationRow[];
  readonly curves: readonly TrainingCurve[];
}

export interface Fact {
  readonly name: string;
  readonly text: string;
}

/**
 * Who predicted. Colours go by it: `family` gives the hue, `n` the shade, so that a model looks the same in all figures.
 */
export interface ModelName {
  /** Without n: ANCLaF, ANCLaF-S, ANCLaF-SA, Training mean, … A line of the metric against n. */
  readonly family: string;
  /** Window length in frames; null where the model has none. */
  readonly n: number | null;
}

export const ROLES = ["model", "control", "baseline", "oracle"] as const;
/** `oracle`: the best that any predictor can reach, known where the data was drawn. */
export type Role = (typeof ROLES)[number];

export interface ModelResults extends ModelName {
  readonly role: Role;
  /** One for each fold and seed, at least one; `fold` and `seed` are named in the table of folds. */
  readonly runs: readonly RunScores[];
  /** All frames of all folds as one set, once for each seed that they were trained with; none where that is not known. */
  readonly pooled: readonly AffectScores[];
}

/** One training's test set. COR, CCC and ICC of something constant count as undefined (`Scores.constant`). */
export interface RunScores {
  readonly fold: number;
  readonly seed: number | null;
  readonly frames: number;
  readonly scores: AffectScores;
}

/** How much better one model is than another, over what both were tested on. */
export interface Gain {
  readonly model: ModelName;
  readonly against: ModelName;
  /** Of a fold and a seed that both have; at least one. */
  readonly pairs: number;
  /** Mean over the pairs: CCC (mean of valence and arousal) of `model`, less that of `against`. */
  readonly difference: number;
  /** Of that mean; null for one pair, which has none. */
  readonly standardError: number | null;
  /** Pairs that were tested on different numbers of frames. */
  readonly uneven: number;
}

/** Scores within windows: of the faces that models judged after so many frames of their window. */
export interface ScoresBySeen {
  /** Milliseconds from one frame to the next; null where that is not known, or differs. */
  readonly interval: number | null;
  /** From how many milliseconds on more frames tell little more, where the data was drawn so; else null. */
  readonly planted: number | null;
  /** Those with a window, in the table's order; the best possible has an n of null. */
  readonly models: readonly ModelBySeen[];
}

export interface ModelBySeen extends ModelName {
  readonly role: Role;
  /** Of 1, 2, … frames seen. */
  readonly points: readonly SeenPoint[];
}

export interface SeenPoint {
  /** Frames of the window that the model had been shown, the judged one included. */
  readonly seen: number;
  /** Mean of valence and arousal, over folds and seeds; null where there is no such face, or all are alike. */
  readonly ccc: Spread | null;
  /** Labelled faces, each once. */
  readonly frames: number;
}

/** A row of a paper's table; what the paper leaves out is left out. */
export interface PaperResults extends ModelName {
  readonly figures: Readonly<Record<"valence" | "arousal" | "average", Readonly<Partial<Record<Metric, number>>>>>;
}

/** A clip's frames over time: the papers' Figures 2 to 4. All arrays of one trace have one length, its frames. */
export interface Trace {
  /** What is to be seen, e.g. "With and without attention". */
  readonly title: string;
  readonly clip: string;
  readonly fold: number;
  /** Frame numbers of the dataset, rising. */
  readonly frames: ArrayLike<number>;
  /** Microseconds, rising. */
  readonly pts: ArrayLike<number>;
  /** Native units; NaN where there is no label. */
  readonly truth: Affect;
  readonly series: readonly TraceSeries[];
  /** Pieces that are drawn again, larger, with faces and attention; positions in the arrays, `to` not included. */
  readonly zooms: readonly { readonly from: number; readonly to: number }[];
  readonly faces: readonly Face[];
  readonly attention: readonly TraceAttention[];
}

/** Frame by frame. */
export interface Affect {
  readonly valence: ArrayLike<number>;
  readonly arousal: ArrayLike<number>;
}

export interface TraceSeries extends ModelName {
  /** Native units; NaN where the model gave nothing. */
  readonly predicted: Affect;
  /** Over this clip, for the legend; null where they are not to be shown. */
  readonly scores: AffectScores | null;
}

export interface Face {
  /** Position in the trace's arrays. */
  readonly at: number;
  /** `data:image/png;base64,…` or jpeg, square. */
  readonly image: string;
}

export interface TraceAttention extends ModelName {
  readonly windows: readonly AttentionWindow[];
}

/** The weights of one window of n frames. */
export interface AttentionWindow {
  /** Positions of its steps in the trace's arrays, −1 for steps that are padding or missing. [n] */
  readonly at: readonly number[];
  /**
   * a_ti: row t has the weights that step t gave the states of steps i < t, which sum to 1; the rest is 0 and is not looked
   * at, and so is the first row. Padding and missing steps have no weights: 0. [n][n]
   */
  readonly weights: readonly ArrayLike<number>[];
}

/** How attention goes with movement: of one model, and one thing that moves. */
export interface CorrelationRow extends ModelName {
  /** What moves: |dV/dt| of the labels, |dA/dt| of the labels, motion of the landmarks. */
  readonly quantity: string;
  readonly result: AttentionCorrelation;
}

/** What `attentionCorrelation` finds. Intervals are of 95 %, from clips drawn again with replacement. */
export interface AttentionCorrelation {
  /** Mean of Pearson's correlation between a step's weights and the speeds of the states' frames; −1..1. */
  readonly correlation: Interval;
  /** The same with each step's weights shuffled: what chance gives. */
  readonly shuffled: Interval;
  /** Mean speed as weighted by attention, over the plain mean that uniform weights give: 1 is no preference. */
  readonly gain: Interval;
  /** Steps that count for the correlation, and clips they are of. */
  readonly steps: number;
  readonly clips: number;
  /** Steps left out of the correlation, and why. */
  readonly leftOut: {
    /** Fewer than three states: a correlation of two points is ±1 or nothing. */
    readonly short: number;
    readonly constantWeights: number;
    readonly constantSpeed: number;
    /** A speed is not known. */
    readonly missing: number;
  };
}

/** All null where there is nothing to take a mean of; the ends null where there is one clip. */
export interface Interval {
  readonly mean: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** What a training wrote into its log. */
export interface TrainingCurve extends ModelName {
  readonly fold: number;
  readonly seed: number | null;
  /** What the loss and the validation's metric are: "total", "mean of COR + CCC + ICC". */
  readonly lossName: string;
  readonly validationName: string;
  readonly loss: readonly CurvePoint[];
  readonly validation: readonly CurvePoint[];
  /** Iteration of the checkpoint that was tested; null where it was the last. */
  readonly best: number | null;
}

export interface CurvePoint {
  readonly iteration: number;
  readonly value: number;
}

/** ANCLaF-SA-8; a family without n is its own name. */
export function nameOf({ family, n }: ModelName): string {
  return n === null ? family : `${family}-${n}`;
}

/** ANCLaF-SA-8 − ANCLaF-S-8. */
export function differenceOf({ model, against }: Pick<Gain, "model" | "against">): string {
  return `${nameOf(model)} − ${nameOf(against)}`;
}
