import { PipeError } from "../errors.ts";

/** The metrics of affect estimation: root mean squared error, Pearson's correlation, Lin's concordance, ICC(3,1). */
export const METRICS = ["rmse", "cor", "ccc", "icc"] as const;
export type Metric = (typeof METRICS)[number];

/** How well one dimension was predicted. RMSE in the labels' unit; the others −1..1. */
export interface Scores extends Readonly<Record<Metric, number>> {
  readonly frames: number;
  /**
   * What does not vary, null where both do. COR, CCC and ICC of something constant are 0 by definition here: COR is 0/0
   * then, CCC and ICC tend to 0.
   */
  readonly constant: "predictions" | "labels" | "both" | null;
}

/**
 * Scores of predictions against labels, over all frames pooled; in float64, from centred sums with 1/N moments.
 * - RMSE = √ mean (p − y)²
 * - COR = cov / (σp·σy), Pearson
 * - CCC = 2·cov / (σp² + σy² + (μp − μy)²), Lin 1989, Biometrics 45:255
 * - ICC = 2·cov / (σp² + σy²), which is ICC(3,1), (BMS − EMS) / (BMS + EMS), of Shrout and Fleiss 1979,
 *   Psychological Bulletin 86:420
 *
 * @param weights of the frames, ≥ 0, of any scale: every mean is then a weighted one. Default: all alike.
 * @throws PipeError without frames, with arrays of different lengths, or for a number that is not finite
 */
export function metricsOf(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): Scores {
  check(predictions, labels, weights);
  const frames = predictions.length;
  const shareOf = weights === undefined ? () => 1 : (i: number) => weights[i]!;
  let total = 0;
  for (let i = 0; i < frames; i++) total += shareOf(i);
  if (!(total > 0)) throw new PipeError("Metrics need a frame with a weight above 0.");
  const mean = (value: (i: number) => number) => {
    let sum = 0;
    for (let i = 0; i < frames; i++) sum += shareOf(i) * value(i);
    return sum / total;
  };
  const meanP = mean((i) => predictions[i]!);
  const meanY = mean((i) => labels[i]!);
  const varianceP = mean((i) => (predictions[i]! - meanP) ** 2);
  const varianceY = mean((i) => (labels[i]! - meanY) ** 2);
  const covariance = mean((i) => (predictions[i]! - meanP) * (labels[i]! - meanY));
  const rmse = Math.sqrt(mean((i) => (predictions[i]! - labels[i]!) ** 2));
  const constant = constantOf(varies(predictions, shareOf), varies(labels, shareOf));
  if (constant !== null) return { rmse, cor: 0, ccc: 0, icc: 0, frames, constant };
  return {
    rmse,
    cor: ratio(covariance, Math.sqrt(varianceP) * Math.sqrt(varianceY)),
    ccc: ratio(2 * covariance, varianceP + varianceY + (meanP - meanY) ** 2),
    icc: ratio(2 * covariance, varianceP + varianceY),
    frames,
    constant,
  };
}

/** Both dimensions, and their mean (the tables' AVG). */
export interface AffectScores {
  readonly valence: Scores;
  readonly arousal: Scores;
  readonly average: Readonly<Record<Metric, number>>;
}

/** A series of valence and one of arousal, frame by frame. */
export interface AffectSeries {
  readonly valence: ArrayLike<number>;
  readonly arousal: ArrayLike<number>;
}

export function affectMetrics(predictions: AffectSeries, labels: AffectSeries): AffectScores {
  const valence = metricsOf(predictions.valence, labels.valence);
  const arousal = metricsOf(predictions.arousal, labels.arousal);
  return { valence, arousal, average: record((metric) => (valence[metric] + arousal[metric]) / 2) };
}

/** Mean over folds, and the standard deviation between them (1/(N − 1)); null for a single fold. */
export interface Spread {
  readonly mean: number;
  readonly sd: number | null;
}

export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new PipeError("There is no mean of no folds.");
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return { mean, sd: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) };
}

/** A record of the metrics. */
export function record<T>(value: (metric: Metric) => T): Record<Metric, T> {
  return { rmse: value("rmse"), cor: value("cor"), ccc: value("ccc"), icc: value("icc") };
}

/** Whether two frames that count differ; decided by the values themselves, since rounding gives constants a variance. */
function varies(values: ArrayLike<number>, shareOf: (i: number) => number): boolean {
  let first: number | undefined;
  for (let i = 0; i < values.length; i++) {
    if (shareOf(i) === 0) continue;
    first ??= values[i]!;
    if (values[i] !== first) return true;
  }
  return false;
}

function constantOf(predictionsVary: boolean, labelsVary: boolean): Scores["constant"] {
  if (predictionsVary) return labelsVary ? null : "labels";
  return labelsVary ? "predictions" : "both";
}

/** Of values that differ by less than float64 can square, the moments are 0 all the same. */
function ratio(part: number, whole: number): number {
  return whole > 0 ? Math.max(-1, Math.min(1, part / whole)) : 0;
}

function check(predictions: ArrayLike<number>, labels: ArrayLike<number>, weights?: ArrayLike<number>): void {
  if (predictions.length !== labels.length)
    throw new PipeError(`There are ${predictions.length} predictions, but ${labels.length} labels.`);
  if (weights !== undefined && weights.length !== labels.length)
    throw new PipeError(`There are ${weights.length} weights, but ${labels.length} labels.`);
  if (labels.length === 0) throw new PipeError("Metrics cannot be taken over no frames.");
  for (const [what, values] of Object.entries({ prediction: predictions, label: labels, weight: weights ?? [] }))
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i]) || (what === "weight" && values[i]! < 0))
        throw new PipeError(`The ${what} of frame ${i} is ${values[i]}.`, {
          hint: what === "prediction" ? "The model may have diverged." : "Check the labels that were read.",
        });
}
