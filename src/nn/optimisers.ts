import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "../compile/index.ts";
import { constant, type Schedule } from "./schedules.ts";

/**
 * How parameters follow their gradient. A pure function of tensors, so that it is traced together with the loss; it
 * works on one vector that holds all parameters of a part (see flat.ts). Formulas and defaults are PyTorch's.
 */
export interface Optimiser {
  /** With its numbers, for logs and cache keys. */
  readonly name: string;
  /** The learning rate by updates made, for logs. */
  readonly rate: Schedule;
  /** What it remembers before the first update, for so many parameters. */
  start(size: number): Record<string, Value>;
  /** One update. Parameters and gradient [size]; gives new tensors, and all entries of its state anew. */
  update(
    parameters: tf.Tensor1D,
    gradient: tf.Tensor1D,
    state: Readonly<Record<string, tf.Tensor>>,
  ): { parameters: tf.Tensor1D; state: Record<string, tf.Tensor> };
}

export interface OptimiserOptions {
  readonly learningRate: number | Schedule;
  /** Adam and RMSprop add it times the parameters to the gradient; AdamW shrinks the parameters by it. Default 0. */
  readonly weightDecay?: number;
  /** A gradient whose Euclidean norm, over all parameters, is larger is scaled down to it (Pascanu et al. 2013). */
  readonly clipNorm?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
}

export interface AdamOptions extends OptimiserOptions {
  /** Decay of the running mean of the gradient and of its square. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
}

export interface RmspropOptions extends OptimiserOptions {
  /** Decay of the running mean of the gradient's square. Default 0.99. */
  readonly decay?: number;
}

/** Adam (Kingma and Ba 2015, algorithm 1); weight decay is part of the gradient. */
export const adam = (options: AdamOptions): Optimiser => adamLike("adam", options, false);

/** AdamW (Loshchilov and Hutter 2019, algorithm 2): weight decay apart from the gradient, scaled by the rate. */
export const adamW = (options: AdamOptions): Optimiser => adamLike("adamW", { weightDecay: 0.01, ...options }, true);

/** RMSprop (Hinton 2012, lecture 6e). */
export function rmsprop(options: RmspropOptions): Optimiser {
  const { decay = 0.99, epsilon = 1e-8, weightDecay = 0, clipNorm } = options;
  const rate = scheduleOf(options.learningRate);
  return {
    name: `rmsprop(${rate.name}, decay ${decay}, ${suffix(epsilon, weightDecay, clipNorm)})`,
    rate,
    start: (size) => ({ updates: counter(), square: zeros(size) }),
    update(parameters, gradient, state) {
      const g = prepared(gradient, parameters, clipNorm, weightDecay);
      const square = gathered(state.square!, tf.square(g), decay);
      const scale = Math.sqrt(1 - decay);
      const factor = tf.div(rate.traced(state.updates as tf.Scalar), scale);
      const step = tf.mul(tf.div(g, tf.add(tf.sqrt(square), epsilon / scale)), factor);
      return { parameters: tf.sub(parameters, step), state: { updates: next(state.updates!), square } };
    },
  };
}

function adamLike(kind: string, options: AdamOptions, apart: boolean): Optimiser {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0, clipNorm } = options;
  const rate = scheduleOf(options.learningRate);
  return {
    name: `${kind}(${rate.name}, betas ${betas.join(" ")}, ${suffix(epsilon, weightDecay, clipNorm)})`,
    rate,
    start: (size) => ({
      updates: counter(),
      bias: { data: new Float32Array(2), shape: [2] },
      mean: zeros(size),
      square: zeros(size),
    }),
    update(parameters, gradient, state) {
      const learningRate = rate.traced(state.updates as tf.Scalar);
      const g = prepared(gradient, parameters, clipNorm, apart ? 0 : weightDecay);
      const mean = gathered(state.mean!, g, betas[0]);
      const square = gathered(state.square!, tf.square(g), betas[1]);
      // 1 − β^t, as a running mean of ones: the power itself, taken from 1, would lose half its digits in float32.
      const rest = tf.tensor1d(betas.map((beta) => 1 - beta));
      const bias = tf.add(tf.mul(state.bias!, tf.tensor1d([...betas])), rest);
      // What the sums lack to be means without bias, and epsilon beside the root of a sum.
      const [scale1, scale2] = tf.unstack(tf.div(rest, bias)) as [tf.Scalar, tf.Scalar];
      const root = tf.sqrt(scale2);
      const factor = tf.div(tf.mul(learningRate, scale1), root);
      const step = tf.mul(tf.div(mean, tf.add(tf.sqrt(square), tf.div(epsilon, root))), factor);
      const kept =
        apart && weightDecay > 0 ? tf.mul(parameters, tf.sub(1, tf.mul(learningRate, weightDecay))) : parameters;
      return { parameters: tf.sub(kept, step), state: { updates: next(state.updates!), bias, mean, square } };
    },
  };
}

/** The gradient clipped, then with weight decay added. */
function prepared(gradient: tf.Tensor1D, parameters: tf.Tensor1D, clipNorm: number | undefined, weightDecay: number) {
  const clipped = clipNorm === undefined ? gradient : clip(gradient, clipNorm);
  return weightDecay === 0 ? clipped : tf.add(clipped, tf.mul(parameters, weightDecay));
}

function clip(gradient: tf.Tensor1D, most: number): tf.Tensor1D {
  const norm = tf.sqrt(tf.sum(tf.square(gradient)));
  return tf.mul(gradient, tf.minimum(tf.div(most, tf.add(norm, 1e-6)), 1));
}

/**
 * decay · old + fresh: the running mean divided by 1 − decay. Kept so, the scale is applied to scalars instead of to all
 * parameters, which saves a quarter of the operations.
 */
const gathered = (old: tf.Tensor, fresh: tf.Tensor, decay: number) => tf.add(tf.mul(old, decay), fresh);

const next = (updates: tf.Tensor) => tf.add(updates, tf.scalar(1, "int32"));
const counter = (): Value => ({ data: new Int32Array(1), shape: [] });
const zeros = (size: number): Value => ({ data: new Float32Array(size), shape: [size] });
const scheduleOf = (rate: number | Schedule) => (typeof rate === "number" ? constant(rate) : rate);
const suffix = (epsilon: number, weightDecay: number, clipNorm: number | undefined) =>
  `epsilon ${epsilon}, weight decay ${weightDecay}, clip ${clipNorm ?? "none"}`;
