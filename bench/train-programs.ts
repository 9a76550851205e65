import * as tf from "@tensorflow/tfjs-core";
import type { StepProgram, Value } from "../src/compile/index.ts";
import { lookProgram, startState, stepProgram } from "../src/nn/fit/programs.ts";
import type { Phase } from "../src/nn/fit/types.ts";
import { differentiate, flatten } from "../src/nn/flat.ts";
import { convWeight, initialise } from "../src/nn/init.ts";
import { conv2d, leakyRelu } from "../src/nn/layers.ts";
import { adam, byRule } from "../src/nn/optimisers.ts";
import type { ParameterSpec } from "../src/nn/weights.ts";
import { type AnclafSizes, QUADRANTS } from "../src/systems/anclaf/presets.ts";
import { stage1 } from "../src/systems/anclaf/stage1.ts";

/** Training steps to be measured, the same as in train.py. */
export interface Subject {
  readonly name: string;
  readonly programs: Record<string, StepProgram>;
  readonly state: Record<string, Value>;
  readonly feeds: Record<string, Record<string, Value>>;
}

const optimiser = adam({ learningRate: 1e-4, betas: [0.5, 0.999] });

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
    return updated(gradient, state, values);
  };
  const feeds = { image: image(batch, side), truth: onehot(batch, 10) };
  return { name: `small network × ${batch}`, programs: { train }, state: stateOf(specs), feeds: { train: feeds } };
}

/**
 * ANCLaF's first stage as `train-anclaf` trains it: `d`, the discriminator's step with gradient penalty; `g`, generator and
 * combiner in one backward pass, since the affect loss reaches G through Z; `forward`, the losses of `g` alone.
 */
export function anclaf(sizes: AnclafSizes, batch: number): Subject {
  const { parts, phases } = stage1({ preset: "paper", sizes, batch });
  const [critic, maker] = phases as [Phase, Phase];
  const weights = Object.fromEntries(Object.entries(parts).map(([part, specs]) => [part, initialise(specs, 1)]));
  const faces = {
    clean: bytes(batch, sizes.image, 1.7),
    distorted: bytes(batch, sizes.image, 1.3),
    quadrant: onehot(batch, QUADRANTS),
  };
  const alpha = { data: Float32Array.from({ length: batch }, (_, i) => (i + 0.5) / batch), shape: [batch, 1, 1, 1] };
  const pairs = (value: (i: number) => number): Value => ({
    data: Float32Array.from({ length: batch * 2 }, (_, i) => value(i)),
    shape: [batch, 2],
  });
  const labelled = { ...faces, labels: pairs((i) => Math.sin(i * 2.1)), weights: pairs((i) => 1 + 0.5 * Math.cos(i)) };
  return {
    name: `ANCLaF × ${batch}`,
    programs: {
      d: stepProgram(critic, parts),
      g: stepProgram(maker, parts),
      forward: lookProgram((parameters, inputs) => maker.losses(parameters, inputs), parts),
    },
    state: startState({ parts, phases }, weights),
    feeds: { d: { ...faces, alpha }, g: labelled, forward: labelled },
  };
}

function updated(
  gradient: tf.Tensor1D,
  state: Readonly<Record<string, tf.Tensor>>,
  outputs: Record<string, tf.Tensor>,
) {
  const entries = Object.fromEntries(["parameters", ...Object.keys(optimiser.start(0))].map((name) => [name, name]));
  const { update, state: next } = byRule(optimiser.rule!, gradient, state, entries);
  return { outputs, state: next, updates: [update] };
}

function stateOf(specs: readonly ParameterSpec[]): Record<string, Value> {
  const data = flatten(initialise(specs, 1), specs);
  return { parameters: { data, shape: [data.length] }, ...optimiser.start(data.length) };
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

function bytes(batch: number, side: number, wave: number): Value {
  const data = new Uint8Array(batch * side * side * 3);
  for (let i = 0; i < data.length; i++) data[i] = 128 + 90 * Math.sin(i * 0.011) + 30 * Math.sin(i * wave);
  return { data, shape: [batch, side, side, 3] };
}

function onehot(batch: number, kinds: number): Value {
  const data = new Float32Array(batch * kinds);
  for (let i = 0; i < batch; i++) data[i * kinds + (i % kinds)] = 1;
  return { data, shape: [batch, kinds] };
}
