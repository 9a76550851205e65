import * as tf from "@tensorflow/tfjs-core";

/**
 * Arithmetic on numbers of some kind: tensors, or lanes of a loop (loop.ts). Each operation rounds to float32, so that
 * every kind gives the same bits.
 */
export interface Arithmetic<T> {
  number(value: number): T;
  add(a: T, b: T): T;
  subtract(a: T, b: T): T;
  multiply(a: T, b: T): T;
  divide(a: T, b: T): T;
  least(a: T, b: T): T;
  root(a: T): T;
}

/**
 * What becomes of the elements of vectors, each by itself, written once for all kinds of arithmetic. Takes vectors and
 * scalars by name; gives the vectors that change, under their names.
 */
export type Formula = <T>(math: Arithmetic<T>, values: Readonly<Record<string, T>>) => Record<string, T>;

/** The kind that is traced, or computed at once by TensorFlow.js. */
export const TENSORS: Arithmetic<tf.Tensor> = {
  number: (value) => tf.scalar(value),
  add: (a, b) => tf.add(a, b),
  subtract: (a, b) => tf.sub(a, b),
  multiply: (a, b) => tf.mul(a, b),
  divide: (a, b) => tf.div(a, b),
  least: (a, b) => tf.minimum(a, b),
  root: (a) => tf.sqrt(a),
};
