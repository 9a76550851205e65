import * as tf from "@tensorflow/tfjs-core";
import { type Arithmetic, type Formula, inTensors, type Update, type Value } from "../compile/index.ts";
import { constant, type Schedule } from "./schedules.ts";

/**
 * How parameters follow their gradient. Pure functions of tensors, so that they are traced together with the loss; on
 * one vector that holds all parameters of a part (see flat.ts). Formulas and defaults are PyTorch's.
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
  /** The same update in two parts, for engines that change vectors in place; without it they trace `update`. */
  readonly rule?: Rule;
}

/** An update as what is done once, on scalars, and what is done to each parameter by itself. */
export interface Rule {
  /** Entries of the state that have an element for each parameter. */
  readonly vectors: readonly string[];
  /** From the state's other entries: what the formula needs, float32 scalars, and these entries anew. */
  scalars(state: Readonly<Record<string, tf.Tensor>>): {
    scalars: Record<string, tf.Tensor>;
    state: Record<string, tf.Tensor>;
  };
  /** From `parameters`, `gradient`, its `norm`, the vectors and the scalars to new parameters and vectors. */
  readonly formula: Formula;
}

/**
 * A rule's update for a step to give, and the entries of the state that the step changes itself. `entries`: where
 * `parameters` and all that the optimiser remembers lie in the state.
 */
export function byRule(
  rule: Rule,
  gradient: tf.Tensor1D,
  state: Readonly<Record<string, tf.Tensor>>,
  entries: Readonly<Record<string, string>>,
): { update: Update; state: Record<string, tf.Tensor> } {
  const own = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, state[entry]!]));
  const { scalars, state: next } = rule.scalars(own);
  const vectors = Object.fromEntries(["parameters", ...rule.vectors].map((name) => [name, entries[name]!]));
  return {
    update: { entries: vectors, gradient, scalars, formula: rule.formula },
    state: Object.fromEntries(Object.entries(next).map(([name, tensor]) => [entries[name]!, tensor])),
  };
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
  const scale = Math.sqrt(1 - decay);
  return {
    name: `rmsprop(${rate.name}, decay ${decay}, ${suffix(epsilon, weightDecay, clipNorm)})`,
    rate,
    start: (size) => ({ updates: counter(), square: zeros(size) }),
    ...ruled({
      vectors: ["square"],
      scalars: ({ updates }) => ({
        scalars: { factor: tf.div(rate.traced(updates as tf.Scalar), scale) },
        state: { updates: next(updates!) },
      }),
      formula(math, values) {
        const g = prepared(math, values, clipNorm, weightDecay);
        const square = gathered(math, values.square!, math.multiply(g, g), decay);
        const root = math.add(math.root(square), math.number(epsilon / scale));
        const step = math.multiply(math.divide(g, root), values.factor!);
        return { parameters: math.subtract(values.parameters!, step), square };
      },
    }),
  };
}

function adamLike(kind: string, options: AdamOptions, apart: boolean): Optimiser {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0, clipNorm } = options;
  const rate = scheduleOf(options.learningRate);
  const shrinks = apart && weightDecay > 0;
  return {
    name: `${kind}(${rate.name}, betas ${betas.join(" ")}, ${suffix(epsilon, weightDecay, clipNorm)})`,
    rate,
    start: (size) => ({
      updates: counter(),
      bias: { data: new Float32Array(2), shape: [2] },
      mean: zeros(size),
      square: zeros(size),
    }),
    ...ruled({
      vectors: ["mean", "square"],
      scalars({ updates, bias: before }) {
        const learningRate = rate.traced(updates as tf.Scalar);
        // 1 − β^t, as a running mean of ones: the power itself, taken from 1, would lose half its digits in float32.
        const rest = tf.tensor1d(betas.map((beta) => 1 - beta));
        const bias = tf.add(tf.mul(before!, tf.tensor1d([...betas])), rest);
        // What the sums lack to be means without bias, and epsilon beside the root of a sum.
        const [scale1, scale2] = tf.unstack(tf.div(rest, bias)) as [tf.Scalar, tf.Scalar];
        const root = tf.sqrt(scale2);
        const factor = tf.div(tf.mul(learningRate, scale1), root);
        const scalars = { factor, epsilon: tf.div(epsilon, root) };
        return {
          scalars: shrinks ? { ...scalars, kept: tf.sub(1, tf.mul(learningRate, weightDecay)) } : scalars,
          state: { updates: next(updates!), bias },
        };
      },
      formula(math, values) {
        const g = prepared(math, values, clipNorm, apart ? 0 : weightDecay);
        const mean = gathered(math, values.mean!, g, betas[0]);
        const square = gathered(math, values.square!, math.multiply(g, g), betas[1]);
        const root = math.add(math.root(square), values.epsilon!);
        const step = math.multiply(math.divide(mean, root), values.factor!);
        const kept = shrinks ? math.multiply(values.parameters!, values.kept!) : values.parameters!;
        return { parameters: math.subtract(kept, step), mean, square };
      },
    }),
  };
}

/** An update in tensors from its rule. */
function ruled(rule: Rule): Required<Pick<Optimiser, "rule" | "update">> {
  return {
    rule,
    update(parameters, gradient, state) {
      const once = rule.scalars(state);
      const own = Object.fromEntries(rule.vectors.map((name) => [name, state[name]!]));
      const next = inTensors(rule.formula, { ...own, ...once.scalars, parameters, gradient });
      const { parameters: moved, ...vectors } = next as typeof next & { parameters: tf.Tensor1D };
      return { parameters: moved, state: { ...once.state, ...vectors } };
    },
  };
}

/** The gradient clipped, then with weight decay added. */
function prepared<T>(
  math: Arithmetic<T>,
  values: Readonly<Record<string, T>>,
  clipNorm: number | undefined,
  weightDecay: number,
): T {
  const clipped = clipNorm === undefined ? values.gradient! : clip(math, values, clipNorm);
  if (weightDecay === 0) return clipped;
  return math.add(clipped, math.multiply(values.parameters!, math.number(weightDecay)));
}

function clip<T>(math: Arithmetic<T>, values: Readonly<Record<string, T>>, most: number): T {
  const share = math.divide(math.number(most), math.add(values.norm!, math.number(1e-6)));
  return math.multiply(values.gradient!, math.least(share, math.number(1)));
}

/**
 * decay · old + fresh: the running mean divided by 1 − decay. Kept so, the scale is applied to scalars instead of to all
 * parameters, which saves a quarter of the operations.
 */
const gathered = <T>(math: Arithmetic<T>, old: T, fresh: T, decay: number): T =>
  math.add(math.multiply(old, math.number(decay)), fresh);

const next = (updates: tf.Tensor) => tf.add(updates, tf.scalar(1, "int32"));
const counter = (): Value => ({ data: new Int32Array(1), shape: [] });
const zeros = (size: number): Value => ({ data: new Float32Array(size), shape: [size] });
const scheduleOf = (rate: number | Schedule) => (typeof rate === "number" ? constant(rate) : rate);
const suffix = (epsilon: number, weightDecay: number, clipNorm: number | undefined) =>
  `epsilon ${epsilon}, weight decay ${weightDecay}, clip ${clipNorm ?? "none"}`;
