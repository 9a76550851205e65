import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { withGradient } from "./gradient.ts";
import { type CellStep, cellBackward, cellForward, type LstmState, listed, stepsIn } from "./lstm-cell.ts";
import type { ParameterSpec } from "./weights.ts";

export type { LstmState } from "./lstm-cell.ts";

/** A layer's weights with PyTorch's names and axes; H units, gates in the order i, f, g, o. */
export interface LstmWeights {
  /** [4H, features] */
  readonly weight_ih_l0: tf.Tensor2D;
  /** [4H, H] */
  readonly weight_hh_l0: tf.Tensor2D;
  /** [4H] */
  readonly bias_ih_l0: tf.Tensor1D;
  /** [4H] */
  readonly bias_hh_l0: tf.Tensor1D;
}

export interface LstmOptions {
  /** State before the first step; zeros if absent. */
  readonly start?: LstmState | undefined;
  /** bool [batch, time]: at a step that is not present, the state is handed on unchanged and h repeats. */
  readonly present?: tf.Tensor2D | undefined;
}

export interface LstmOutput {
  /** h after each step [batch, time, H]. */
  readonly h: tf.Tensor3D;
  /** State after the last step. */
  readonly last: LstmState;
}

/**
 * One unidirectional LSTM layer (Hochreiter and Schmidhuber 1997, with the forget gates of Gers et al. 2000), as
 * PyTorch's nn.LSTM with batch_first. x [batch, time, features], time ≥ 1.
 *
 * Its gradient is written by hand: what need not wait for the step before (the input's products, all weights'
 * gradients) is one matrix product over batch × time, where automatic differentiation makes one a step and adds them.
 */
export function lstm(x: tf.Tensor3D, weights: LstmWeights, { start, present }: LstmOptions = {}): LstmOutput {
  const [batch, time, features] = x.shape;
  if (time === 0) throw new PipeError("An LSTM was given a sequence of no steps.", { hint: "It needs at least one." });
  const { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 } = weights;
  const units = weight_hh_l0.shape[1];
  const rows = batch * time;
  const inputs = {
    x,
    weight_ih_l0,
    weight_hh_l0,
    bias_ih_l0,
    bias_hh_l0,
    ...(start && { h0: start.h, c0: start.c }),
  };
  const [h, hLast, cLast] = withGradient(
    inputs as typeof inputs & Record<"h0" | "c0", tf.Tensor2D>,
    (keep) => {
      const projected = tf.fused.matMul({
        a: tf.reshape(x, [rows, features]),
        b: weight_ih_l0,
        transposeB: true,
        bias: tf.add(bias_ih_l0, bias_hh_l0),
      });
      const flags = flagsOf(present);
      const steps: CellStep[] = [];
      for (const [t, slab] of apart(tf.reshape(projected, [batch, time, 4 * units])).entries())
        steps.push(cellForward(slab, weight_hh_l0, steps.at(-1) ?? start, flags[t]));
      keep([...listed(steps), ...flags]);
      const { h, c } = steps.at(-1)!;
      // A clone, since an output that is also one of the kept tensors must not be the same one.
      return [together(steps.map((step) => step.h)), tf.clone(h), tf.clone(c)] as const;
    },
    ([dh, dhLast, dcLast], { x, weight_ih_l0, weight_hh_l0, h0, c0 }, kept) => {
      const { steps, rest: flags } = stepsIn(kept, time);
      const start = h0 && c0 && { h: h0, c: c0 };
      const above = apart(dh);
      const slabs = new Array<tf.Tensor2D>(time);
      let after: LstmState = { h: dhLast, c: dcLast };
      for (let t = time - 1; t >= 0; t--) {
        const own = { h: tf.add(above[t]!, after.h) as tf.Tensor2D, c: after.c };
        const { slab, before } = cellBackward(steps[t]!, weight_hh_l0, steps[t - 1] ?? start, own, flags[t]);
        slabs[t] = slab;
        after = before ?? after;
      }
      const slab = tf.reshape(together(slabs), [rows, 4 * units]);
      const bias = tf.sum(slab, 0);
      return {
        x: () => tf.reshape(tf.matMul(slab, weight_ih_l0), x.shape),
        weight_ih_l0: () => tf.matMul(slab, tf.reshape(x, [rows, features]), true),
        weight_hh_l0: () => tf.matMul(slab, tf.reshape(together(statesBefore(steps, start)), [rows, units]), true),
        bias_ih_l0: () => tf.clone(bias),
        bias_hh_l0: () => tf.clone(bias),
        h0: () => tf.clone(after.h),
        c0: () => tf.clone(after.c),
      };
    },
  );
  return { h, last: { h: hLast, c: cLast } };
}

/** A layer's specs under a prefix, e.g. `combiner.lstm`. They start as PyTorch's do: U(±1/√H), biases too. */
export function lstmParameters(prefix: string, features: number, units: number): ParameterSpec[] {
  const start = { uniform: { fanIn: units } };
  return [
    { name: `${prefix}.weight_ih_l0`, shape: [4 * units, features], start },
    { name: `${prefix}.weight_hh_l0`, shape: [4 * units, units], start },
    { name: `${prefix}.bias_ih_l0`, shape: [4 * units], start },
    { name: `${prefix}.bias_hh_l0`, shape: [4 * units], start },
  ];
}

/** h before each step. */
export const statesBefore = (steps: readonly CellStep[], start: LstmState | undefined): tf.Tensor2D[] => [
  start?.h ?? tf.zerosLike(steps[0]!.h),
  ...steps.slice(0, -1).map((step) => step.h),
];

/** [batch, time, n] → time × [batch, n], and back. */
export const apart = (x: tf.Tensor): tf.Tensor2D[] => tf.unstack(x, 1) as tf.Tensor2D[];
export const together = (steps: readonly tf.Tensor2D[]): tf.Tensor3D => tf.stack([...steps], 1) as tf.Tensor3D;

/** [batch, time] → time × [batch, 1]. */
export const flagsOf = (present: tf.Tensor2D | undefined): tf.Tensor2D[] =>
  present ? (tf.split(tf.cast(present, "bool"), present.shape[1], 1) as tf.Tensor2D[]) : [];
