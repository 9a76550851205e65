import { PipeError } from "../errors.ts";
import type { Interval } from "./types.ts";

/** Loss weights by label, of one dimension. */
export interface LabelWeights {
  /** Weight of each bin. */
  readonly bins: Float64Array;
  /** Weight of a label in native units. */
  of(label: number): number;
}

/**
 * Inverse-frequency weights: the dimension's range is cut into equal bins, a label weighs as the inverse of how often
 * its bin occurs among the training labels, (count + 1) of all so that an empty bin has a weight too, and weights are
 * scaled so that their mean over the training frames is 1. (ANCLaF, eq. 10 as its published code means it.)
 *
 * The default of 21 bins gives each whole number of −10..10 its own; with 20, as published, 9 and 10 would share one.
 *
 * @param labels of the training frames alone, native units, one dimension
 * @throws PipeError without labels or for one outside the range
 */
export function labelWeights(labels: ArrayLike<number>, range: Interval, bins = 21): LabelWeights {
  if (labels.length === 0) throw new PipeError("Label weights cannot be taken from no labels.");
  if (!Number.isInteger(bins) || bins < 1) throw new PipeError(`A histogram cannot have ${bins} bins.`);
  const counts = new Float64Array(bins);
  for (let i = 0; i < labels.length; i++) counts[binOf(labels[i]!, range, bins)]! += 1;
  const inverse = counts.map((count) => 1 / (count + 1));
  let sum = 0;
  for (const [bin, weight] of inverse.entries()) sum += weight * counts[bin]!;
  const weights = inverse.map((weight) => (weight * labels.length) / sum);
  return { bins: weights, of: (label) => weights[binOf(label, range, bins)]! };
}

/** Number of the bin, 0..bins − 1, that a label falls into; the range's upper end belongs to the last. */
export function binOf(label: number, [low, high]: Interval, bins: number): number {
  if (!(label >= low && label <= high)) throw new PipeError(`The label ${label} is outside the range ${low}..${high}.`);
  return Math.min(bins - 1, Math.floor(((label - low) / (high - low)) * bins));
}
