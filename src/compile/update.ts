import * as tf from "@tensorflow/tfjs-core";
import { type Formula, TENSORS } from "./formula.ts";

/**
 * What a step does to vectors of its state once it has their gradient. Kept apart from the step's tensors, since an
 * engine may do it where the state lies, in one pass: as nodes of a graph it reads and writes memory ten times as often.
 */
export interface Update {
  /** Entries of the state, float32 [n], by the formula's names. No entry stands twice among a step's updates. */
  readonly entries: Readonly<Record<string, string>>;
  /** [n]; the formula's `gradient`. Its Euclidean norm is the formula's `norm`. */
  readonly gradient: tf.Tensor1D;
  /** float32; the formula's other names. */
  readonly scalars: Readonly<Record<string, tf.Tensor>>;
  readonly formula: Formula;
  /** Output of the step that tells the gradient's norm, if wanted. */
  readonly norm?: string;
}

/** The update in tensors. `state`: what the step began with. */
export function updated(update: Update, state: Readonly<Record<string, tf.Tensor>>) {
  const { gradient, scalars, entries } = update;
  let known: tf.Tensor | undefined;
  const norm = () => {
    known ??= normOf(gradient);
    return known;
  };
  const vectors = Object.entries(entries).map(([name, entry]) => [name, state[entry]!] as const);
  const next = inTensors(update.formula, { ...Object.fromEntries(vectors), ...scalars, gradient }, norm);
  return {
    outputs: update.norm === undefined ? {} : { [update.norm]: norm() },
    state: Object.fromEntries(Object.entries(next).map(([name, tensor]) => [entries[name]!, tensor])),
  };
}

/** A formula's result for tensors; their norm is computed only where the formula asks for it. */
export function inTensors(
  formula: Formula,
  values: Readonly<Record<string, tf.Tensor>>,
  norm: () => tf.Tensor = () => normOf(values.gradient!),
): Record<string, tf.Tensor> {
  return formula(TENSORS, Object.defineProperty({ ...values }, "norm", { get: norm, enumerable: true }));
}

const normOf = (gradient: tf.Tensor) => tf.sqrt(tf.sum(tf.square(gradient)));
