import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { Value } from "../../src/compile/index.ts";

/** A tensor in a stored oracle. */
export interface Stored {
  readonly shape: number[];
  readonly values: number[];
}

/** One run of a PyTorch layer: the loss is the sum of its outputs, each times its scales. */
export interface Case {
  readonly inputs: Record<string, Stored>;
  readonly scales: Record<string, Stored>;
  readonly outputs: Record<string, Stored>;
  readonly gradients: Record<string, Stored>;
}

export const WEIGHTS = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] as const;

export const feed = (inputs: Record<string, Stored>): Record<string, Value> =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, values }]) => [name, { shape, data: Float32Array.from(values) }]),
  );

/** Every output times its scales, summed. */
export function weighted(outputs: Record<string, tf.Tensor>, scales: Record<string, Stored>): tf.Scalar {
  const parts = Object.entries(scales).map(([name, { shape, values }]) =>
    tf.sum(tf.mul(outputs[name]!, tf.tensor(values, shape))),
  );
  return tf.addN(parts) as tf.Scalar;
}

/** Numbers in −1..1 that look random; another `stream`, others. */
export function* floats(stream: number, shape: readonly number[]): Generator<number> {
  const size = shape.reduce((product, n) => product * n, 1);
  for (let i = 0; i < size; i++) yield Math.sin(12.9898 * (i + 1) + 78.233 * (stream + 1));
}

type Found = tf.Tensor | Value | Stored;
const numbers = (found: Found): ArrayLike<number> =>
  found instanceof tf.Tensor ? found.dataSync() : "values" in found ? found.values : found.data;

/** Same shape, and no number further off than `tolerance`, absolute and relative. */
export function nearly(found: Found, expected: Found, tolerance: number, label = ""): void {
  expect([...found.shape], label).toEqual([...expected.shape]);
  const [a, b] = [numbers(found), numbers(expected)];
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    if (!(difference <= worst)) worst = difference;
  }
  expect(worst, label).toBeLessThanOrEqual(tolerance);
}

/** Expects a loss' gradient by each of its inputs to be what differences say, along three directions in each. */
export function hasGradient(
  loss: (...list: tf.Tensor[]) => tf.Scalar,
  inputs: readonly tf.Tensor[],
  tolerance: number,
) {
  const step = 1e-2;
  tf.grads(loss)([...inputs]).forEach((gradient, at) => {
    const { shape } = inputs[at]!;
    for (const stream of [31, 32, 33]) {
      const direction = tf.tensor([...floats(stream, shape)], shape);
      const moved = (by: number) => loss(...inputs.with(at, tf.add(inputs[at]!, tf.mul(direction, by)))).dataSync()[0]!;
      const slope = (moved(step) - moved(-step)) / (2 * step);
      const claimed = tf.sum(tf.mul(gradient, direction)).dataSync()[0]!;
      expect(Math.abs(claimed - slope) / Math.max(1, Math.abs(slope)), `input ${at}`).toBeLessThan(tolerance);
    }
  });
}
