import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { registerGradients } from "../../src/compile/index.ts";

/**
 * Gradients written or mended in this project against central differences, on the cpu backend. Where the second
 * derivative is in question, the differences are those of the first.
 */
type Op = (x: tf.Tensor) => tf.Tensor;

beforeAll(() => registerGradients());
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

test("one tfjs-core: its ops are recorded and differentiated", () => {
  withBackend("cpu", () =>
    tf.tidy(() => {
      const gradient = tf.grad((x) => tf.sum(tf.square(x)))(tf.tensor1d([1, -2]));
      expect(gradient).toBeInstanceOf(tf.Tensor);
      expect([...gradient.dataSync()]).toEqual([2, -4]);
    }),
  );
});

const waves = (length: number, from: number, to: number) =>
  Float32Array.from({ length }, (_, i) => from + (to - from) * (0.5 + 0.5 * Math.sin(1 + i * 2.3)));
const picture: [shape: number[], from: number, to: number] = [[2, 5, 4, 3], -1, 1];
const plain: [shape: number[], from: number, to: number] = [[3, 4], -1.5, 1.4];
const row = tf.tensor1d([-0.4, 0.3, 0.1, 0.7]);

const first: [name: string, op: Op, where: [number[], number, number]][] = [
  ["leakyRelu", (x) => tf.leakyRelu(x, 0.2), plain],
  ["elu", tf.elu, plain],
  ["maximum, broadcast", (x) => tf.maximum(row, x), plain],
  ["minimum, broadcast", (x) => tf.minimum(tf.reshape(x, [3, 4, 1]), row), plain],
  ["squaredDifference, broadcast", (x) => tf.squaredDifference(tf.reshape(x, [3, 4, 1]), row), plain],
  ["avgPool with padding", (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same"), picture],
  ["avgPool of windows apart", (x) => tf.avgPool(x as tf.Tensor4D, [2, 1], [3, 2], "valid"), picture],
  ["maxPool", (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, "same"), picture],
  ["resizeBilinear", (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 3]), picture],
  ["resizeBilinear, aligned", (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 9], true), picture],
  ["resizeBilinear, half pixels", (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [8, 6], false, true), picture],
  ["resizeNearestNeighbor", (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [7, 3]), picture],
  [
    "resizeNearestNeighbor, half",
    (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [8, 6], false, true),
    picture,
  ],
  ["gatherND", (x) => tf.gatherND(x, tf.tensor2d([2, 0, 0, 2], [4, 1], "int32")), plain],
  ["scatterND", (x) => tf.scatterND(tf.tensor2d([4, 0, 1], [3, 1], "int32"), x, [5, 4]), plain],
  ["unstack of one", (x) => tf.square(tf.unstack(tf.reshape(x, [1, 12]))[0]!), plain],
  ["split into one", (x) => tf.square(tf.split(x, [4], 1)[0]!), plain],
];
test.each(first)("%s", (_, op, [shape, from, to]) => {
  const total: Op = (x) => weighted(op(x));
  compare(tf.grad(total), total, shape, from, to);
});

const second: [name: string, op: Op, where: [number[], number, number]][] = [
  ["leakyRelu", (x) => tf.square(tf.leakyRelu(x, 0.2)), plain],
  ["clip", (x) => tf.square(tf.clipByValue(x, -1, 1)), plain],
  ["where", (x) => tf.where(tf.greater(x, 0.1), tf.square(x), tf.exp(x)), plain],
  ["elu", (x) => tf.square(tf.elu(x)), plain],
  ["exp", tf.exp, plain],
  ["tanh", tf.tanh, plain],
  ["sigmoid", tf.sigmoid, plain],
  ["softmax", (x) => tf.softmax(x), plain],
  ["pow", (x) => tf.pow(x, tf.scalar(2.5)), [[3, 4], 0.5, 2]],
  ["max", (x) => tf.square(tf.max(x, 1)), plain],
  ["relu", (x) => tf.square(tf.relu(x)), plain],
  ["conv2d", (x) => tf.square(tf.conv2d(x as tf.Tensor4D, tf.ones([3, 3, 3, 2]), 2, "same")), picture],
];
test.each(second)("%s, twice", (_, op, [shape, from, to]) => {
  // The squared length of the gradient, as a gradient penalty has it.
  const penalty: Op = (x) => tf.sum(tf.square(tf.grad((y: tf.Tensor) => weighted(op(y)))(x)));
  compare(tf.grad(penalty), penalty, shape, from, to);
});

function weighted(y: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(y, tf.reshape(tf.linspace(0.5, 1.5, y.size), y.shape)));
}

function compare(gradient: Op, total: Op, shape: number[], from: number, to: number): void {
  const size = shape.reduce((a, b) => a * b, 1);
  const at = waves(size, from, to);
  const of = (op: Op, data: Float32Array) =>
    withBackend("cpu", () => tf.tidy(() => op(tf.tensor(data, shape)).dataSync()));
  const found = of(gradient, at);
  const step = 2 ** -7;
  const slopes = at.map((_, i) => {
    const moved = (by: number) => of(total, at.with(i, at[i]! + by))[0]!;
    return (moved(step) - moved(-step)) / (2 * step);
  });
  const scale = Math.max(1, ...slopes.map(Math.abs));
  slopes.forEach((slope, i) => {
    expect(Math.abs(found[i]! - slope), `element ${i}: ${found[i]}, differences give ${slope}`).toBeLessThan(
      0.01 * scale,
    );
  });
}
