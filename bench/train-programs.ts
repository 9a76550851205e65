import * as tf from "@tensorflow/tfjs-core";
import type { StepProgram, Value } from "../src/compile/index.ts";
import { differentiate, flatten, parametersOf } from "../src/nn/flat.ts";
import { convWeight, initialise } from "../src/nn/init.ts";
import { conv2d, leakyRelu } from "../src/nn/layers.ts";
import { adam, byRule } from "../src/nn/optimisers.ts";
import type { Parameters } from "../src/nn/parameters.ts";
import type { ParameterSpec } from "../src/nn/weights.ts";
import {
  discriminator,
  discriminatorParameters,
  generator,
  generatorParameters,
} from "../src/systems/anclaf/networks.ts";
import { type AnclafSizes, QUADRANTS } from "../src/systems/anclaf/presets.ts";

/** Training steps to be measured, the same as in train.py. */
export interface Subject {
  readonly name: string;
  readonly programs: Record<string, StepProgram>;
  readonly state: Record<string, Value>;
  readonly feeds: Record<string, Record<string, Value>>;
}

export const rate = { learningRate: 1e-4, betas: [0.5, 0.999] } as const;
const optimiser = adam(rate);

/** Two convolutions and two dense layers on pictures of ten kinds, 32×32 if not told otherwise. */
export function small(batch: number, side = 32): Subject {
  const width = 32 * (side / 4) ** 2;
  const dense = (name: string, inside: number, outside: number): ParameterSpec[] => [
    { name: `${name}.weight`, shape: [inside, outside], start: { uniform: { fanIn: inside } } },
    { name: `${name}.bias`, shape: [outside], start: "zeros" },
  ];
  const specs = [
    convWeight("c1", [16, 3, 3, 3]),
    convWeight("c2", [32, 16, 3, 3]),
    ...dense("d1", width, 64),
    ...dense("d2", 64, 10),
  ];
  const train: StepProgram = ({ image, truth }, state) => {
    const vector = state.parameters as tf.Tensor1D;
    const { values, gradient } = differentiate(vector, specs, (p) => {
      let x = leakyRelu(conv2d(image as tf.Tensor4D, p.get("c1") as tf.Tensor4D, { stride: 2, padding: 1 }));
      x = leakyRelu(conv2d(x, p.get("c2") as tf.Tensor4D, { stride: 2, padding: 1 }));
      const flat = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [batch, width]);
      const hidden = tf.relu(tf.add(tf.matMul(flat, p.get("d1.weight")!), p.get("d1.bias")!));
      const logits = tf.add(tf.matMul(hidden, p.get("d2.weight")!), p.get("d2.bias")!);
      return { total: crossEntropy(logits as tf.Tensor2D, truth!) };
    });
    return updated("", gradient, state, values);
  };
  const feeds = { image: image(batch, side), truth: onehot(batch, 10) };
  return { name: `small network × ${batch}`, programs: { train }, state: stateOf("", specs), feeds: { train: feeds } };
}

/** ANCLaF's stage 1 without its combiner: D with a gradient penalty, and G through D. */
export function anclaf(sizes: AnclafSizes, batch: number): Subject {
  const [specsG, specsD] = [generatorParameters(sizes), discriminatorParameters(sizes)];
  const judge = (p: Parameters, x: tf.Tensor4D) => discriminator(p, sizes, x);
  const d: StepProgram = ({ clean, distorted, alpha, truth }, state) => {
    const fake = generator(parametersOf(state["g.parameters"] as tf.Tensor1D, specsG), distorted as tf.Tensor4D);
    const mixed = tf.add(tf.mul(alpha!, clean!), tf.mul(tf.sub(1, alpha!), fake.reconstruction)) as tf.Tensor4D;
    const vector = state["d.parameters"] as tf.Tensor1D;
    const { values, gradient } = differentiate(vector, specsD, (p) => {
      const real = judge(p, clean as tf.Tensor4D);
      const slope = tf.grad((x) => tf.sum(judge(p, x as tf.Tensor4D).score))(mixed);
      const length = tf.sqrt(tf.add(tf.sum(tf.square(slope), [1, 2, 3]), 1e-12));
      const penalty = tf.mean(tf.square(tf.sub(length, 1)));
      const critic = tf.sub(tf.mean(judge(p, fake.reconstruction).score), tf.mean(real.score));
      const kind = crossEntropy(real.logits, truth!);
      return { total: tf.addN([critic, tf.mul(10, penalty), kind]) as tf.Scalar, critic, penalty, kind };
    });
    return updated("d.", gradient, state, values);
  };
  const g: StepProgram = ({ clean, distorted, truth }, state) => {
    const critic = parametersOf(state["d.parameters"] as tf.Tensor1D, specsD);
    const vector = state["g.parameters"] as tf.Tensor1D;
    const { values, gradient } = differentiate(vector, specsG, (p) => {
      const { reconstruction } = generator(p, distorted as tf.Tensor4D);
      const judged = judge(critic, reconstruction);
      const realness = tf.neg(tf.mean(judged.score));
      const likeness = tf.mean(tf.abs(tf.sub(clean!, reconstruction)));
      const kind = crossEntropy(judged.logits, truth!);
      return { total: tf.addN([realness, tf.mul(10, likeness), kind]) as tf.Scalar, realness, likeness, kind };
    });
    return updated("g.", gradient, state, values);
  };
  const both = {
    clean: image(batch, sizes.image),
    distorted: image(batch, sizes.image),
    truth: onehot(batch, QUADRANTS),
  };
  const alpha = { data: Float32Array.from({ length: batch }, (_, i) => (i + 0.5) / batch), shape: [batch, 1, 1, 1] };
  return {
    name: `ANCLaF × ${batch}`,
    programs: { d, g },
    state: { ...stateOf("g.", specsG), ...stateOf("d.", specsD) },
    feeds: { d: { ...both, alpha }, g: both },
  };
}

function updated(
  prefix: string,
  gradient: tf.Tensor1D,
  state: Readonly<Record<string, tf.Tensor>>,
  outputs: Record<string, tf.Tensor>,
) {
  const names = ["parameters", ...Object.keys(optimiser.start(0))];
  const entries = Object.fromEntries(names.map((name) => [name, prefix + name]));
  const { update, state: next } = byRule(optimiser.rule!, gradient, state, entries);
  return { outputs, state: next, updates: [update] };
}

function stateOf(prefix: string, specs: readonly ParameterSpec[]): Record<string, Value> {
  const data = flatten(initialise(specs, 1), specs);
  const entries = Object.entries({ parameters: { data, shape: [data.length] }, ...optimiser.start(data.length) });
  return Object.fromEntries(entries.map(([key, value]) => [prefix + key, value]));
}

function crossEntropy(logits: tf.Tensor2D, truth: tf.Tensor): tf.Scalar {
  return tf.neg(tf.mean(tf.sum(tf.mul(truth, tf.logSoftmax(logits)), 1)));
}

function image(batch: number, side: number): Value {
  const data = Float32Array.from(
    { length: batch * side * side * 3 },
    (_, i) => 0.7 * Math.sin(i * 0.011) + 0.2 * Math.sin(i * 1.7),
  );
  return { data, shape: [batch, side, side, 3] };
}

function onehot(batch: number, kinds: number): Value {
  const data = new Float32Array(batch * kinds);
  for (let i = 0; i < batch; i++) data[i * kinds + (i % kinds)] = 1;
  return { data, shape: [batch, kinds] };
}
