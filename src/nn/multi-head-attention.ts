import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import type { scope } from "./parameters.ts";
import type { ParameterSpec } from "./weights.ts";

export interface MultiHeadAttentionOptions {
  readonly heads: number;
  /** bool [batch, S], PyTorch's key_padding_mask: true where a key is padding, and is not attended to. */
  readonly padding?: tf.Tensor2D | undefined;
  /** [batch, heads, L, S]: what the weights are multiplied with, 0 or 1 / (1 − p); drawn outside, noise is an input. */
  readonly dropout?: tf.Tensor4D | undefined;
}

export interface MultiHeadAttentionOutput {
  /** [batch, L, E] */
  readonly output: tf.Tensor3D;
  /** How much each query took of each key, mean over heads [batch, L, S]; rows sum to 1, before dropout. */
  readonly attention: tf.Tensor3D;
}

/**
 * Attention of several heads (Vaswani et al. 2017, §3.2), as PyTorch's nn.MultiheadAttention with batch_first: softmax of
 * (q·k / √(E / heads)), queries, keys and values each projected first, what comes out once more.
 * A query whose keys are all padding takes nothing: its output is `out_proj.bias`, where PyTorch gives NaN.
 *
 * query [batch, L, E], key and value [batch, S, E]. Throws a PipeError when the heads do not divide E.
 * @param layer has `in_proj_weight` [3E, E] (queries', keys', values' rows), `in_proj_bias` [3E], `out_proj.weight`
 *   [E, E] and `out_proj.bias` [E]: {@link multiHeadAttentionParameters}, scoped to their prefix.
 */
export function multiHeadAttention(
  { query, key, value }: { readonly query: tf.Tensor3D; readonly key: tf.Tensor3D; readonly value: tf.Tensor3D },
  layer: ReturnType<typeof scope>,
  { heads, padding, dropout }: MultiHeadAttentionOptions,
): MultiHeadAttentionOutput {
  const [batch, length, width] = query.shape;
  if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0)
    throw new PipeError(`${width} numbers cannot be shared among ${heads} heads.`, {
      hint: "The number of heads must divide the width.",
    });
  const weights = tf.split(layer<tf.Tensor2D>("in_proj_weight"), 3, 0) as tf.Tensor2D[];
  const biases = tf.split(layer<tf.Tensor1D>("in_proj_bias"), 3, 0) as tf.Tensor1D[];
  // [batch, length, E] → [batch, heads, length, E / heads]
  const projected = (x: tf.Tensor3D, which: number) => {
    const rows = linear(x, weights[which]!, biases[which]!);
    return tf.transpose(tf.reshape(rows, [x.shape[0], x.shape[1], heads, width / heads]), [0, 2, 1, 3]);
  };
  const q = tf.mul(projected(query, 0), Math.sqrt(heads / width));
  const shares = softmaxOver(tf.matMul(q, projected(key, 1), false, true) as tf.Tensor4D, padding);
  const taken = tf.matMul(dropout ? tf.mul(shares, dropout) : shares, projected(value, 2));
  const joined = tf.reshape(tf.transpose(taken, [0, 2, 1, 3]), [batch, length, width]) as tf.Tensor3D;
  return {
    output: linear(joined, layer("out_proj.weight"), layer("out_proj.bias")),
    attention: tf.mean<tf.Tensor3D>(shares, 1),
  };
}

/** Over the last axis of scores [batch, heads, L, S], padding left out. */
function softmaxOver(scores: tf.Tensor4D, padding: tf.Tensor2D | undefined): tf.Tensor4D {
  if (!padding) return tf.softmax(scores);
  const there = tf.logicalNot(tf.reshape(tf.cast(padding, "bool"), [scores.shape[0], 1, 1, scores.shape[3]]));
  const masked = tf.where(there, scores, tf.fill(scores.shape, NOTHING)) as tf.Tensor4D;
  return tf.mul(tf.softmax(masked), tf.cast(there, "float32"));
}

/** Stands for −∞ and stays finite in differences. */
const NOTHING = -1e30;

/** x [batch, n, in] · weight [out, in], and bias [out]. */
function linear(x: tf.Tensor3D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor3D {
  const [batch, n, width] = x.shape;
  const rows = tf.matMul(tf.reshape(x, [batch * n, width]), weight, false, true);
  return tf.reshape(tf.add(rows, bias), [batch, n, weight.shape[0]]);
}

/** The layer's parameters under a prefix, for vectors of E numbers. Weights start at U(±1/√E), biases at 0. */
export function multiHeadAttentionParameters(prefix: string, width: number): ParameterSpec[] {
  const start = { uniform: { fanIn: width } };
  return [
    { name: `${prefix}.in_proj_weight`, shape: [3 * width, width], start },
    { name: `${prefix}.in_proj_bias`, shape: [3 * width], start: "zeros" },
    { name: `${prefix}.out_proj.weight`, shape: [width, width], start },
    { name: `${prefix}.out_proj.bias`, shape: [width], start: "zeros" },
  ];
}
