import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { compile, registerGradients } from "../../src/compile/index.ts";
import { countOps } from "../../src/compile/onnx.ts";
import {
  batchNorm,
  batchNormParameters,
  batchNormStatistics,
  type StatisticName,
  trainingBatchNorm,
} from "../../src/nn/batch-norm.ts";
import { groupNorm, layerNorm } from "../../src/nn/norms.ts";
import { againstPyTorch, readCases } from "./oracle.ts";
import { floats, nearly } from "./sequences.ts";

registerGradients();
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

againstPyTorch(
  readCases(new URL("./norms-attention.json", import.meta.url), (name) => name.includes("Norm")),
  ({ x, weight, bias, running_mean, running_var }, name) => {
    const [scale, shift] = [weight as tf.Tensor1D, bias as tf.Tensor1D];
    // The oracle spreads what it normalises, away from 0.
    if (name.startsWith("layerNorm")) return { y: layerNorm(tf.add(tf.mul(x!, 3), 2), scale, shift) };
    if (name.startsWith("groupNorm")) return { y: groupNorm(x!, Number(name.split(" ")[1]), scale, shift) };
    const spread = tf.add(tf.mul(x!, 2), 1);
    const running = { running_mean: running_mean!, running_var: running_var! };
    if (name.endsWith("training")) {
      const remember = (key: StatisticName, update: (before: tf.Tensor) => tf.Tensor) => {
        running[key] = update(running[key]);
      };
      return { y: trainingBatchNorm(spread, scale, shift, { remember }), ...running };
    }
    const [mean, variance] = [running.running_mean as tf.Tensor1D, running.running_var as tf.Tensor1D];
    return { y: batchNorm(spread, scale, shift, { mean, variance }), ...running };
  },
);

const scale = () => tf.tensor1d([...floats(7, [6])]);
const shift = () => tf.tensor1d([...floats(8, [6])]);
const images = (batch = 3) => tf.tensor4d([...floats(2, [batch, 4, 5, 6])], [batch, 4, 5, 6]);

test.each([
  ["layer norm", (x: tf.Tensor4D) => layerNorm(x, scale(), shift())],
  ["group norm", (x: tf.Tensor4D) => groupNorm(x, 3, scale(), shift())],
  [
    "batch norm with frozen statistics",
    (x: tf.Tensor4D) => batchNorm(x, scale(), shift(), { mean: shift(), variance: tf.square(scale()) as tf.Tensor1D }),
  ],
] as const)("%s gives a sample alone what it gives it among others, and none nothing", (_, norm) => {
  inJs(() => {
    const all = norm(images());
    const alone = norm(tf.slice(images(), [1, 0, 0, 0], [1, -1, -1, -1]));
    expect(alone.dataSync()).toEqual(tf.slice(all, [1, 0, 0, 0], [1, -1, -1, -1]).dataSync());
    expect(norm(tf.zeros([0, 4, 5, 6])).shape).toEqual([0, 4, 5, 6]);
  });
});

test("a constant input stays finite, with its gradient", () => {
  inJs(() => {
    const x = tf.fill<tf.Rank.R4>([2, 3, 4, 6], 5);
    for (const norm of [
      (x: tf.Tensor4D) => layerNorm(x, scale(), shift()),
      (x: tf.Tensor4D) => groupNorm(x, 2, scale(), shift()),
      (x: tf.Tensor4D) => trainingBatchNorm(x, scale(), shift()),
    ]) {
      nearly(norm(x), tf.broadcastTo(shift(), x.shape), 1e-6);
      const slope = tf
        .grad((x) => tf.sum(tf.square(norm(x as tf.Tensor4D))))(x)
        .dataSync();
      expect(slope.every(Number.isFinite)).toBe(true);
    }
  });
});

test("a batch norm in training has mean = shift and deviation = scale in each channel, whatever came in", () => {
  inJs(() => {
    const y = trainingBatchNorm(tf.add(tf.mul(images(), 40), 9), scale(), shift());
    const { mean, variance } = tf.moments(y, [0, 1, 2]);
    nearly(mean, shift(), 1e-5);
    nearly(variance, tf.square(scale()), 1e-4);
  });
});

test("group norm between convolutions moves nothing when it is compiled", async () => {
  await using compiled = compile(
    ({ x }) => ({
      y: tf.conv2d(
        groupNorm(tf.conv2d(x as tf.Tensor4D, filter(), 1, "same"), 3, scale(), shift()),
        filter(),
        1,
        "same",
      ),
    }),
    { name: "norm", engine: "onnx" },
  );
  const ops = countOps(compiled.toOnnx({ x: { shape: [2, 4, 5, 6], dtype: "float32" } }));
  // In and out.
  expect(ops.Transpose).toBe(2);
});

const filter = () => tf.tensor4d([...floats(4, [3, 3, 6, 6])], [3, 3, 6, 6]);

test("what cannot be normalised is refused", () => {
  inJs(() => {
    expect(() => groupNorm(images(), 4, scale(), shift())).toThrow("6 channels cannot be normalised in 4 groups");
    expect(() => trainingBatchNorm(tf.ones([1, 6]), scale(), shift())).toThrow("one number a channel has no variance");
  });
});

test("parameters and statistics have PyTorch's names and starts", () => {
  const specs = [...batchNormParameters("b.bn1", 4), ...batchNormStatistics("b.bn1", 4)];
  expect(specs.map(({ name, shape, start }) => [name, shape, start])).toEqual([
    ["b.bn1.weight", [4], "ones"],
    ["b.bn1.bias", [4], "zeros"],
    ["b.bn1.running_mean", [4], "zeros"],
    ["b.bn1.running_var", [4], "ones"],
  ]);
});

function inJs(body: () => void): void {
  withBackend("cpu", () =>
    tf.tidy(() => {
      body();
    }),
  );
}
