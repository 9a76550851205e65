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

/** The slope of a loss by each number of one of its inputs, by differences. */
export function slopes(loss: (...list: tf.Tensor[]) => tf.Scalar, inputs: readonly tf.Tensor[], at: number): Stored {
  const step = 1e-2;
  const original = inputs[at]!;
  const values = Array.from(original.dataSync(), (x, k) => {
    const moved = (by: number) => {
      const data = Float32Array.from(original.dataSync());
      data[k] = x + by;
      return loss(...inputs.with(at, tf.tensor(data, original.shape))).dataSync()[0]!;
    };
    return (moved(step) - moved(-step)) / (2 * step);
  });
  return { shape: original.shape, values };
}
