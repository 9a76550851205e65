// A tiny network trained on arrays, and what it then says. Killed and started again, the training goes on where it was.
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import {
  adam,
  affectMetrics,
  compile,
  exportWeights,
  type Parameters,
  toParameters,
  fit as train,
} from "../src/index.ts";

const folder = process.argv[2] ?? "data/runs/sample";
const x = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i * i));
const y = x.map((value, i) => (i % 2 === 0 ? value * x[i + 1]! : (value - x[i - 1]!) / 2));
const [points, labels] = [x, y].map((data) => ({ data, shape: [256, 2] }));

const affect = (net: Parameters, x: tf.Tensor) =>
  tf.matMul(tf.tanh(tf.add(tf.matMul(x, net.get("hidden")!), net.get("bias")!)), net.get("head")!);

const { weights, resumedFrom } = await train({
  ...{ name: "points", folder, seed: 1, iterations: 200 },
  parts: {
    net: [
      { name: "hidden", shape: [2, 16], start: { uniform: { fanIn: 1 } } },
      { name: "bias", shape: [16], start: { uniform: { fanIn: 1 } } },
      { name: "head", shape: [16, 2], start: { uniform: { fanIn: 16 } } },
    ],
  },
  phases: [
    {
      ...{ name: "fit", trains: ["net"], optimiser: adam({ learningRate: 0.03 }), weights: { error: 1 } },
      losses: ({ net }, { x, y }) => ({ error: tf.mean<tf.Scalar>(tf.squaredDifference(affect(net!, x!), y!)) }),
    },
  ],
  batch: async () => ({ feeds: { x: points!, y: labels! } }),
});

const net = toParameters(weights.net!);
await using trained = compile(({ x }) => ({ said: affect(net, x!) }), { name: "points" });
const { said } = await trained.run({ x: points! });
const series = (values: ArrayLike<number>) => ({
  valence: Array.from(values).filter((_, i) => i % 2 === 0),
  arousal: Array.from(values).filter((_, i) => i % 2 === 1),
});
const { valence, arousal } = affectMetrics(series(said!.data), series(y));
console.log(
  `${resumedFrom ?? "fresh"}: CCC of valence ${valence.ccc.toFixed(2)}, of arousal ${arousal.ccc.toFixed(2)}`,
);

const about = { trainedOn: "points of a formula", command: "train-a-model.ts", time: "a second", seed: 1 };
await exportWeights(join(folder, "model.safetensors"), [weights.net!], { ...about, metrics: { ccc: valence.ccc } });
