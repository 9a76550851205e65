import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import type { ParameterSpec } from "./weights.ts";

/** Normalisations whose answer to a sample depends on that sample alone; instance norm is in layers.ts. */

/**
 * Layer normalisation (Ba et al. 2016), affine: over the last axes, as many as the scale has; PyTorch's nn.LayerNorm.
 * x [..., n], scale and shift [n], or of higher rank alike.
 */
export function layerNorm<T extends tf.Tensor>(x: T, scale: tf.Tensor, shift: tf.Tensor, epsilon = 1e-5): T {
  const axes = scale.shape.map((_, i) => x.rank - scale.rank + i);
  return tf.add(tf.mul(standardised(x, axes, epsilon), scale), shift);
}

/**
 * Group normalisation (Wu and He 2018), affine: over all positions and the channels of one group, groups being
 * neighbouring channels; PyTorch's nn.GroupNorm. x [batch, ..., channels], scale and shift [channels].
 * Throws a PipeError when the groups do not divide the channels.
 */
export function groupNorm<T extends tf.Tensor>(
  x: T,
  groups: number,
  scale: tf.Tensor1D,
  shift: tf.Tensor1D,
  epsilon = 1e-5,
): T {
  const channels = x.shape.at(-1)!;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw new PipeError(`${channels} channels cannot be normalised in ${groups} groups.`, {
      hint: "The number of groups must divide the number of channels.",
    });
  // Channels first, as convolutions are compiled: then neither turn nor reshape moves anything.
  const positions = Array.from({ length: x.rank - 2 }, (_, i) => i + 1);
  const first = tf.transpose(x, [0, x.rank - 1, ...positions]);
  const size = first.size / Math.max(1, x.shape[0]! * groups);
  const normal = standardised(tf.reshape(first, [x.shape[0]!, groups, size]), [2], epsilon);
  const back = tf.transpose(tf.reshape(normal, first.shape), [0, ...positions.map((axis) => axis + 1), 1]);
  return tf.add(tf.mul(back, scale), shift) as T;
}

/** Scale and shift of a norm over n numbers or channels, as they start everywhere: 1 and 0. */
export function normParameters(prefix: string, size: number): ParameterSpec[] {
  return [
    { name: `${prefix}.weight`, shape: [size], start: "ones" },
    { name: `${prefix}.bias`, shape: [size], start: "zeros" },
  ];
}

/** Brought to mean 0 and variance 1 over the axes; the variance is the biased one. */
function standardised<T extends tf.Tensor>(x: T, axes: number[], epsilon: number): T {
  const centred = tf.sub(x, tf.mean(x, axes, true));
  return tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
}
