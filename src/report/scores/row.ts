import type { Prediction } from "../../records.ts";

/** Lowest and highest valence and arousal of a model, in its native units. */
export interface ScoreScale {
  readonly valence: readonly [low: number, high: number];
  readonly arousal: readonly [low: number, high: number];
}

/** One subject in one frame, scored: a row of `scores.parquet`. */
export interface ScoreRow extends Omit<Prediction, "kind" | "image" | "label"> {
  /** Of the track's own scores around this time; null exactly where the raw one is. */
  readonly valenceSmoothed: number | null;
  readonly arousalSmoothed: number | null;
}

/** Quadrants by id, as in `Latent.q`. */
export const QUADRANT_NAMES = ["V+A+", "V−A+", "V−A−", "V+A−"] as const;

/** The quadrant of a row's raw valence and arousal about the middle of their scales, + at or above it; null without both. */
export function affectQuadrant(
  { valence, arousal }: Pick<ScoreRow, "valence" | "arousal">,
  scale: ScoreScale,
): QuadrantId | null {
  if (valence === null || arousal === null) return null;
  const [pleased, excited] = [valence >= middle(scale.valence), arousal >= middle(scale.arousal)];
  return excited ? (pleased ? 0 : 1) : pleased ? 3 : 2;
}

/** The quadrant that four probabilities are highest for; the first of equal ones. */
export function likeliest(probabilities: Float32Array): QuadrantId {
  return probabilities.reduce((best, p, i) => (p > probabilities[best]! ? i : best), 0) as QuadrantId;
}

type QuadrantId = 0 | 1 | 2 | 3;

/**
 * The quadrant that summaries count: {@link affectQuadrant}; of a model that says one of the two or none, its own
 * likeliest; else null.
 */
export function quadrantOfRow(
  row: Pick<ScoreRow, "valence" | "arousal" | "quadrant">,
  scale: ScoreScale,
): QuadrantId | null {
  return affectQuadrant(row, scale) ?? (row.quadrant && likeliest(row.quadrant));
}

export const middle = ([low, high]: readonly [number, number]): number => (low + high) / 2;
