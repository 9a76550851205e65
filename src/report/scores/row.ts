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

/**
 * The quadrant of a row's raw valence and arousal about the middle of their scales, + at or above it; of a model that says
 * one of them or none, its own likeliest quadrant; else null.
 */
export function quadrantOfRow(
  { valence, arousal, quadrant }: Pick<ScoreRow, "valence" | "arousal" | "quadrant">,
  scale: ScoreScale,
): 0 | 1 | 2 | 3 | null {
  if (valence !== null && arousal !== null) {
    const [pleased, excited] = [valence >= middle(scale.valence), arousal >= middle(scale.arousal)];
    return excited ? (pleased ? 0 : 1) : pleased ? 3 : 2;
  }
  if (quadrant === null) return null;
  return quadrant.reduce((best, p, i) => (p > quadrant[best]! ? i : best), 0) as 0 | 1 | 2 | 3;
}

export const middle = ([low, high]: readonly [number, number]): number => (low + high) / 2;
