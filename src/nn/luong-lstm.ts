import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { type AttentiveLstmOptions, type AttentiveLstmOutput, attentiveLstm } from "./attentive-lstm.ts";
import { detach } from "./detach.ts";
import { apart, flagsOf, type LstmWeights, together } from "./lstm.ts";
import { type CellStep, cellForward } from "./lstm-cell.ts";
import type { ParameterSpec } from "./weights.ts";

/** Luong's `concat` score. The columns of W are the query's 2H, then the state's. */
export interface LuongWeights {
  /** [A, 4H] */
  readonly W: tf.Tensor2D;
  /** [A] */
  readonly v: tf.Tensor1D;
}

/**
 * An LSTM that attends to its own former states as {@link attentiveLstm} does, with weights that depend on the query:
 * e_ti = vᵀ tanh(W [S_{t−1}; S_i]) (Luong et al. 2015, `concat`), a_t = softmax over i < t, ctx_t = Σ a_ti S_i. x [batch,
 * time, features], weight_ih_l0 [4H, features + 2H].
 *
 * Each state is projected once as a query and once as a state; the scores are quadratic in time. Its gradient is
 * TensorFlow.js' own.
 */
export function luongLstm(
  x: tf.Tensor3D,
  weights: LstmWeights,
  score: LuongWeights,
  options: AttentiveLstmOptions = {},
): AttentiveLstmOutput {
  const [batch, time, features] = x.shape;
  if (time === 0) throw new PipeError("An LSTM was given a sequence of no steps.", { hint: "It needs at least one." });
  const { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 } = weights;
  const units = weight_hh_l0.shape[1];
  const { attend = true, present } = options;
  if (!attend) return attentiveLstm(x, weights, tf.zeros([1, 4 * units]), options);

  const [own, ofContext] = tf.split(weight_ih_l0, [features, 2 * units], 1) as [tf.Tensor2D, tf.Tensor2D];
  const [ofQuery, ofState] = tf.split(score.W, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
  const projected = tf.matMul(tf.reshape(x, [batch * time, features]), own, false, true);
  const slabs = apart(tf.reshape(tf.add(projected, tf.add(bias_ih_l0, bias_hh_l0)), [batch, time, 4 * units]));
  const flags = flagsOf(present);
  const steps: CellStep[] = [];
  const states: tf.Tensor2D[] = [];
  const keys: tf.Tensor2D[] = [];
  const rows: tf.Tensor2D[] = [tf.zeros([batch, time])];
  for (const [t, slab] of slabs.entries()) {
    let whole = slab;
    if (t > 0) {
      keys.push(tf.matMul(states[t - 1]!, ofState, false, true));
      const query = tf.matMul(states[t - 1]!, ofQuery, false, true) as tf.Tensor2D;
      const a = shares(query, together(keys), score.v, flags.slice(0, t));
      const context = tf.matMul(tf.reshape(a, [batch, 1, t]), together(states));
      whole = tf.add(slab, tf.matMul(tf.reshape(context, [batch, 2 * units]), ofContext, false, true));
      rows.push(
        tf.pad(a, [
          [0, 0],
          [0, time - t],
        ]),
      );
    }
    const step = cellForward(whole, weight_hh_l0, steps.at(-1), flags[t]);
    steps.push(step);
    states.push(tf.concat([step.h, step.c], 1));
  }
  return {
    h: together(steps.map(({ h }) => h)),
    states: detach(together(states)),
    attention: detach(together(rows)),
  };
}

/** The softmax of the scores [batch, t] of a query [batch, A] with keys [batch, t, A]; all zeros where nothing is present. */
function shares(query: tf.Tensor2D, keys: tf.Tensor3D, v: tf.Tensor1D, flags: readonly tf.Tensor2D[]): tf.Tensor2D {
  const [batch, t, size] = keys.shape;
  const hidden = tf.tanh(tf.add(tf.reshape(query, [batch, 1, size]), keys));
  const scores = tf.reshape(tf.matMul(tf.reshape(hidden, [batch * t, size]), tf.reshape(v, [size, 1])), [batch, t]);
  if (flags.length === 0) return tf.softmax(scores) as tf.Tensor2D;
  const present = tf.concat([...flags], 1);
  const masked = tf.where(present, scores, tf.fill(scores.shape, NOTHING));
  return tf.mul(tf.softmax(masked), tf.cast(present, "float32")) as tf.Tensor2D;
}

/** Stands for −∞ and stays finite in differences. */
const NOTHING = -1e30;

/** The score's specs under a prefix, e.g. `combiner.attention`, for an LSTM of H units; A numbers inside, by default 2H. */
export function luongParameters(prefix: string, units: number, size = 2 * units): ParameterSpec[] {
  return [
    { name: `${prefix}.W`, shape: [size, 4 * units], start: { uniform: { fanIn: 4 * units } } },
    { name: `${prefix}.v`, shape: [size], start: { uniform: { fanIn: size } } },
  ];
}
