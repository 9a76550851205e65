import * as tf from "@tensorflow/tfjs-core";
import { composite } from "../compile/index.ts";

/**
 * Layers shared by the systems, as functions of tensors. Activations are NHWC [batch, height, width, channels];
 * weights have PyTorch's axes and are turned to TF.js' inside the graph, where a compiler cancels the turn.
 */
export type Activation = tf.Tensor4D;

export interface ConvOptions {
  readonly stride?: number;
  /** Zeros added on each of the four sides. */
  readonly padding?: number;
  readonly bias?: tf.Tensor1D;
}

/** Conv2d as PyTorch's. Weight [out, in, kernel, kernel]; gives side ⌊(side + 2·padding − kernel) / stride⌋ + 1. */
export function conv2d(x: Activation, weight: tf.Tensor4D, options: ConvOptions = {}): Activation {
  const { stride = 1, padding = 0, bias } = options;
  const filter = tf.transpose(weight, [2, 3, 1, 0]);
  const y = tf.conv2d(x, filter, stride, padding);
  return bias === undefined ? y : tf.add(y, bias);
}

/** ConvTranspose2d with kernel 4, stride 2, padding 1: doubles height and width. Weight [in, out, 4, 4]. */
export function doublingConv(x: Activation, weight: tf.Tensor4D): Activation {
  const [batch, height, width] = x.shape;
  const filter = tf.transpose(weight, [2, 3, 1, 0]);
  const shape: [number, number, number, number] = [batch, height * 2, width * 2, weight.shape[1]];
  return tf.conv2dTranspose(x, filter, shape, 2, 1);
}

/**
 * Instance normalisation (Ulyanov et al. 2016), affine, eps 1e-5: over height and width of each sample's each channel,
 * in training and inference alike, so that a sample's answer never depends on its companions or on a history.
 * Scale and shift [channels].
 */
export function instanceNorm(x: Activation, scale: tf.Tensor1D, shift: tf.Tensor1D): Activation {
  const options = { epsilon: EPSILON };
  return composite("instanceNorm", [x, scale, shift], options, plainInstanceNorm, (dy, x, scale) => [
    composite("instanceNormByInput", [x, scale, dy], options, plainByInput),
    composite("instanceNormByScale", [x, dy], options, plainByScale),
    tf.sum(dy, [0, 1, 2]),
  ]) as Activation;
}

/** Leaky ReLU. It can be differentiated twice, as a gradient penalty needs it, where gradients are registered by compile. */
export function leakyRelu(x: Activation, slope = 0.01): Activation {
  return tf.leakyRelu(x, slope);
}

const EPSILON = 1e-5;

function plainInstanceNorm(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(normalise(x).normal, scale), shift);
}

function plainByInput(x: tf.Tensor, scale: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const { normal, slope } = normalise(x);
  const along = tf.mul(normal, tf.mean(tf.mul(dy, normal), [1, 2], true));
  return tf.mul(tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, [1, 2], true)), along), slope), scale);
}

function plainByScale(x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(dy, normalise(x).normal), [0, 1, 2]);
}

function normalise(x: tf.Tensor): { normal: tf.Tensor; slope: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, [1, 2], true));
  const slope = tf.rsqrt(tf.add(tf.mean(tf.square(centred), [1, 2], true), EPSILON));
  return { normal: tf.mul(centred, slope), slope };
}
