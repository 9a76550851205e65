import * as tf from "@tensorflow/tfjs-core";
import { type AttentiveLstmOptions, attentiveLstm } from "../../nn/attentive-lstm.ts";
import type { Activation } from "../../nn/layers.ts";
import { type LstmWeights, lstmParameters } from "../../nn/lstm.ts";
import { type Parameters, scope } from "../../nn/parameters.ts";
import type { ParameterSpec, Weights } from "../../nn/weights.ts";
import { combinerEncoder, combinerEncoderParameters, featureSize } from "./combiner.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/** What the sequence combiner gives for windows of n frames. */
export interface SequenceCombined {
  /** x_t, the encoder's feature of each frame [B, n, {@link featureSize}]. */
  readonly features: tf.Tensor3D;
  /** S_t = [h_t; c_t] [B, n, 2H], without gradient. */
  readonly states: tf.Tensor3D;
  /** a_ti, the weight of state i in the context of frame t, for i < t [B, n, n], without gradient; null for C-S. */
  readonly attention: tf.Tensor3D | null;
  /** Valence, arousal of each frame [B, n, 2], linear; a missing frame repeats the one before, and is not to be counted. */
  readonly affect: tf.Tensor3D;
}

/**
 * C-S and C-SA, the sequence combiner (ANCLaF §3.3): the frame combiner's encoder, an LSTM over [x_t; ctx_t], a linear
 * layer on h_t. With `attend` it is C-SA, and ctx_t attends to the window's former states; without, C-S, and ctx_t is
 * zeros. Both have the same parameters. `present` marks the frames that are there.
 * ZQ [B, n, side, side, C].
 */
export function sequenceCombiner(
  parameters: Parameters,
  zq: tf.Tensor5D,
  options: AttentiveLstmOptions,
): SequenceCombined {
  const [batch, n, ...image] = zq.shape;
  const features = combinerEncoder(parameters, tf.reshape(zq, [batch * n, ...image]) as Activation);
  return sequenceHead(parameters, tf.reshape(features, [batch, n, features.shape[1]]), options);
}

/** The same from the encoder's features x_t [B, n, {@link featureSize}], which may have been kept from before. */
export function sequenceHead(
  parameters: Parameters,
  features: tf.Tensor3D,
  options: AttentiveLstmOptions,
): SequenceCombined {
  const [lstm, attention, head] = ["lstm", "attention", "head"].map((name) => scope(parameters, `combiner.${name}`));
  const weights: LstmWeights = {
    weight_ih_l0: lstm!("weight_ih_l0"),
    weight_hh_l0: lstm!("weight_hh_l0"),
    bias_ih_l0: lstm!("bias_ih_l0"),
    bias_hh_l0: lstm!("bias_hh_l0"),
  };
  const out = attentiveLstm(features, weights, attention!("weight"), options);
  const [batch, n, units] = out.h.shape;
  const rows = tf.matMul(tf.reshape(out.h, [batch * n, units]), head!<tf.Tensor2D>("weight"), false, true);
  const affect = tf.reshape(tf.add(rows, head!<tf.Tensor1D>("bias")), [batch, n, 2]) as tf.Tensor3D;
  return { features, states: out.states, attention: out.attention, affect };
}

/** H, the LSTM's units: half the feature, so that the state S_t is as long as the feature; 512 at the paper's sizes. */
export function sequenceUnits(sizes: AnclafSizes): number {
  return featureSize(sizes) / 2;
}

/** The parameters of C-S and C-SA alike: encoder and head. */
export function sequenceParameters(sizes: AnclafSizes, form: ZqForm): ParameterSpec[] {
  return [...combinerEncoderParameters(sizes, form), ...sequenceHeadParameters(sizes)];
}

/**
 * The parameters behind the encoder. Of `combiner.attention` the first half of the weight (the query's) and the bias
 * cancel in the softmax: they are kept so that totals and checkpoints are the paper's, and never move.
 */
export function sequenceHeadParameters(sizes: AnclafSizes): ParameterSpec[] {
  const units = sequenceUnits(sizes);
  return [
    ...lstmParameters("combiner.lstm", featureSize(sizes) + 2 * units, units),
    { name: "combiner.attention.weight", shape: [1, 4 * units], start: { uniform: { fanIn: 4 * units } } },
    { name: "combiner.attention.bias", shape: [1], start: "zeros" },
    { name: "combiner.head.weight", shape: [2, units], start: { uniform: { fanIn: units } } },
    { name: "combiner.head.bias", shape: [2], start: "zeros" },
  ];
}

/**
 * C-S's weights made ready for C-SA: the LSTM's columns that read the context, which C-S leaves untrained, become zeros,
 * so that the first C-SA gives what C-S gave. All else is shared, not copied.
 */
export function withFreshAttention(weights: Weights, sizes: AnclafSizes): Weights {
  const name = "combiner.lstm.weight_ih_l0";
  const { shape, data } = weights.get(name)!;
  const [own, columns] = [featureSize(sizes), shape[1]!];
  const zeroed = data.map((value, k) => (k % columns < own ? value : 0));
  return new Map(weights).set(name, { shape, data: zeroed });
}
