import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { normParameters } from "./norms.ts";
import type { ParameterSpec } from "./weights.ts";

/**
 * Batch normalisation (Ioffe and Szegedy 2015), affine; PyTorch's nn.BatchNorm1d and 2d, in two forms.
 *
 * A layer has `weight` and `bias`, which are trained, and the statistics `running_mean` and `running_var`, which are not:
 * they follow the batches. `fit` keeps them as a part of their own that no phase trains ({@link batchNormStatistics}), so
 * that checkpoints and exact resume hold for them as for weights, and a validation's program finds them among its parts.
 * A phase's losses call {@link trainingBatchNorm} with fit's `remember`; everything else calls {@link batchNorm}.
 */

/**
 * The form for inference, and for training with frozen statistics, which then are constants: a fixed scale and shift of
 * each channel, so that a sample's answer does not depend on its companions. x [batch, ..., channels], the others
 * [channels].
 */
export function batchNorm<T extends tf.Tensor>(
  x: T,
  scale: tf.Tensor1D,
  shift: tf.Tensor1D,
  running: { readonly mean: tf.Tensor1D; readonly variance: tf.Tensor1D },
  epsilon = EPSILON,
): T {
  const slope = tf.div(scale, tf.sqrt(tf.add(running.variance, epsilon)));
  return tf.add(tf.mul(x, slope), tf.sub(shift, tf.mul(running.mean, slope)));
}

export interface TrainingBatchNormOptions {
  /**
   * Gives a statistic its value after this step, from that before: fit's `remember` with the layer's name before `name`.
   * Left out, the statistics stay.
   */
  readonly remember?: (name: StatisticName, update: (before: tf.Tensor) => tf.Tensor) => void;
  /** Share of this batch in the new statistics. Default 0.1. */
  readonly momentum?: number;
  readonly epsilon?: number;
}

export type StatisticName = "running_mean" | "running_var";

/**
 * The form for training: by the batch's own mean and (biased) variance over all axes but the last, and the running
 * statistics move towards these, the variance towards the unbiased one, as PyTorch's. x [batch, ..., channels].
 * Throws a PipeError when a channel has but one number.
 */
export function trainingBatchNorm<T extends tf.Tensor>(
  x: T,
  scale: tf.Tensor1D,
  shift: tf.Tensor1D,
  { remember, momentum = 0.1, epsilon = EPSILON }: TrainingBatchNormOptions = {},
): T {
  const count = x.size / x.shape.at(-1)!;
  if (!(count > 1))
    throw new PipeError(`A batch norm was trained on [${x.shape.join(", ")}]: one number a channel has no variance.`, {
      hint: "Take a larger batch, or freeze the statistics (batchNorm).",
    });
  const axes = x.shape.slice(1).map((_, axis) => axis);
  const mean = tf.mean(x, axes);
  const centred = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centred), axes);
  const towards = (value: tf.Tensor) => (before: tf.Tensor) =>
    tf.add(tf.mul(before, 1 - momentum), tf.mul(value, momentum));
  remember?.("running_mean", towards(mean));
  remember?.("running_var", towards(tf.mul(variance, count / (count - 1))));
  const slope = tf.div(scale, tf.sqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(centred, slope), shift) as T;
}

/** The trained parameters of a layer under a prefix, e.g. `backbone.bn1`. */
export const batchNormParameters = normParameters;

/** Its statistics, for a part that no phase trains. PyTorch's count of batches is not kept: its momentum is fixed. */
export function batchNormStatistics(prefix: string, channels: number): ParameterSpec[] {
  return [
    { name: `${prefix}.running_mean`, shape: [channels], start: "zeros" },
    { name: `${prefix}.running_var`, shape: [channels], start: "ones" },
  ];
}

const EPSILON = 1e-5;
