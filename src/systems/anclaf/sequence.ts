import * as tf from "@tensorflow/tfjs-core";
import { type AttentiveLstmOptions, attentiveLstm } from "../../nn/attentive-lstm.ts";
import { initialise } from "../../nn/init.ts";
import type { Activation } from "../../nn/layers.ts";
import { type LstmWeights, lstmParameters } from "../../nn/lstm.ts";
import { luongLstm, luongParameters } from "../../nn/luong-lstm.ts";
import { type Parameters, scope } from "../../nn/parameters.ts";
import type { ParameterSpec, Weights } from "../../nn/weights.ts";
import { combinerEncoder, combinerEncoderParameters, featureSize } from "./combiner.ts";
import type { AnclafSizes, SequenceAttention, ZqForm } from "./presets.ts";

/** How former states are scored. `location`, the default, is what the paper's and the published code's formula comes to. */
export type SequenceScore = Exclude<SequenceAttention, "none">;

export interface SequenceOptions extends AttentiveLstmOptions {
  /** `concat` is Luong's e_i = vᵀ tanh(W [S_{t−1}; S_i]), with parameters of its own. Default `location`. */
  readonly attention?: SequenceScore;
}

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
 * zeros. Both have the same parameters, while `attention` is `location`. `present` marks the frames that are there.
 * ZQ [B, n, side, side, C].
 */
export function sequenceCombiner(parameters: Parameters, zq: tf.Tensor5D, options: SequenceOptions): SequenceCombined {
  const [batch, n, ...image] = zq.shape;
  const features = combinerEncoder(parameters, tf.reshape(zq, [batch * n, ...image]) as Activation);
  return sequenceHead(parameters, tf.reshape(features, [batch, n, features.shape[1]]), options);
}

/** The same from the encoder's features x_t [B, n, {@link featureSize}], which may have been kept from before. */
export function sequenceHead(
  parameters: Parameters,
  features: tf.Tensor3D,
  options: SequenceOptions,
): SequenceCombined {
  const [lstm, attention, head] = ["lstm", "attention", "head"].map((name) => scope(parameters, `combiner.${name}`));
  const weights: LstmWeights = {
    weight_ih_l0: lstm!("weight_ih_l0"),
    weight_hh_l0: lstm!("weight_hh_l0"),
    bias_ih_l0: lstm!("bias_ih_l0"),
    bias_hh_l0: lstm!("bias_hh_l0"),
  };
  const out =
    options.attention === "concat"
      ? luongLstm(features, weights, { W: attention!("W"), v: attention!("v") }, options)
      : attentiveLstm(features, weights, attention!("weight"), options);
  const [batch, n, units] = out.h.shape;
  const rows = tf.matMul(tf.reshape(out.h, [batch * n, units]), head!<tf.Tensor2D>("weight"), false, true);
  const affect = tf.reshape(tf.add(rows, head!<tf.Tensor1D>("bias")), [batch, n, 2]) as tf.Tensor3D;
  return { features, states: out.states, attention: out.attention, affect };
}

/** H, the LSTM's units: half the feature, so that the state S_t is as long as the feature; 512 at the paper's sizes. */
export function sequenceUnits(sizes: AnclafSizes): number {
  return featureSize(sizes) / 2;
}

/** The parameters of C-S and C-SA alike: encoder and head. With `concat`, other ones for the attention, and more. */
export function sequenceParameters(sizes: AnclafSizes, form: ZqForm, attention?: SequenceScore): ParameterSpec[] {
  return [...combinerEncoderParameters(sizes, form), ...sequenceHeadParameters(sizes, attention)];
}

/**
 * The parameters behind the encoder. Of `combiner.attention` the first half of the weight (the query's) and the bias
 * cancel in the softmax: they are kept so that totals and checkpoints are the paper's, and never move.
 */
export function sequenceHeadParameters(sizes: AnclafSizes, attention: SequenceScore = "location"): ParameterSpec[] {
  const units = sequenceUnits(sizes);
  return [
    ...lstmParameters("combiner.lstm", featureSize(sizes) + 2 * units, units),
    ...(attention === "concat" ? luongParameters("combiner.attention", units) : locationParameters(units)),
    { name: "combiner.head.weight", shape: [2, units], start: { uniform: { fanIn: units } } },
    { name: "combiner.head.bias", shape: [2], start: "zeros" },
  ];
}

function locationParameters(units: number): ParameterSpec[] {
  return [
    { name: "combiner.attention.weight", shape: [1, 4 * units], start: { uniform: { fanIn: 4 * units } } },
    { name: "combiner.attention.bias", shape: [1], start: "zeros" },
  ];
}

/**
 * C-S's weights made ready for C-SA: the LSTM's columns that read the context, which C-S leaves untrained, become zeros,
 * so that the first C-SA gives what C-S gave. For `concat` its W and v are drawn by the seed and take the place of the
 * untrained score. All else is shared, not copied.
 */
export function withFreshAttention(
  weights: Weights,
  sizes: AnclafSizes,
  { attention = "location", seed = 1 }: { readonly attention?: SequenceScore; readonly seed?: number } = {},
): Weights {
  const name = "combiner.lstm.weight_ih_l0";
  const { shape, data } = weights.get(name)!;
  const [own, columns] = [featureSize(sizes), shape[1]!];
  const zeroed = data.map((value, k) => (k % columns < own ? value : 0));
  const ready = new Map(weights).set(name, { shape, data: zeroed });
  if (attention === "location") return ready;
  for (const { name } of locationParameters(sequenceUnits(sizes))) ready.delete(name);
  for (const [name, weight] of initialise(luongParameters("combiner.attention", sequenceUnits(sizes)), seed))
    ready.set(name, weight);
  return ready;
}
