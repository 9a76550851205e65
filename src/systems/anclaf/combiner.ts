import * as tf from "@tensorflow/tfjs-core";
import { convWeight } from "../../nn/init.ts";
import { type Activation, conv2d, leakyRelu } from "../../nn/layers.ts";
import { type Parameters, scope } from "../../nn/parameters.ts";
import type { ParameterSpec } from "../../nn/weights.ts";
import { type AnclafSizes, type ZqForm, zqShape } from "./presets.ts";

/** What the combiner gives. */
export interface Combined {
  /** The encoder's feature [B, {@link featureSize}]. */
  readonly feature: tf.Tensor2D;
  /** Valence, arousal [B, 2], linear; −1..1 where the labels were scaled so. */
  readonly affect: tf.Tensor2D;
}

/** C, the frame combiner (ANCLaF §3.2): the encoder, then a linear layer to valence and arousal. ZQ [B, side, side, C]. */
export function combiner(parameters: Parameters, zq: Activation): Combined {
  const feature = combinerEncoder(parameters, zq);
  const head = scope(parameters, "combiner.head");
  const affect = tf.add(tf.matMul(feature, head<tf.Tensor2D>("weight"), false, true), head<tf.Tensor1D>("bias"));
  return { feature, affect: affect as tf.Tensor2D };
}

/**
 * The combiner's encoder, which the sequence variants share: halving convolutions with bias and leaky ReLU down to one
 * pixel, widths w, 2w, 4w, …. ZQ [B, side, side, C], side a power of two; gives [B, {@link featureSize}].
 */
export function combinerEncoder(parameters: Parameters, zq: Activation): tf.Tensor2D {
  let x = zq;
  for (let i = 1; x.shape[1] > 1; i++) {
    const own = scope(parameters, `combiner.c${i}`);
    x = leakyRelu(conv2d(x, own("weight"), { stride: 2, padding: 1, bias: own("bias") }));
  }
  return tf.reshape(x, [zq.shape[0], x.shape[3]]);
}

/** Numbers in the encoder's feature: 1024 at the paper's sizes. */
export function featureSize(sizes: AnclafSizes): number {
  return sizes.combiner * 2 ** (depthOf(sizes) - 1);
}

export function combinerEncoderParameters(sizes: AnclafSizes, form: ZqForm): ParameterSpec[] {
  const [channels] = zqShape(sizes, form);
  const widths = [channels, ...Array.from({ length: depthOf(sizes) }, (_, i) => sizes.combiner * 2 ** i)];
  return widths.slice(1).flatMap((width, i): ParameterSpec[] => {
    const before = widths[i]!;
    const name = `combiner.c${i + 1}`;
    return [
      convWeight(`${name}.weight`, [width, before, 4, 4]),
      { name: `${name}.bias`, shape: [width], start: { uniform: { fanIn: before * 16 } } },
    ];
  });
}

/** The frame combiner's parameters: encoder and head. */
export function combinerParameters(sizes: AnclafSizes, form: ZqForm): ParameterSpec[] {
  const fanIn = featureSize(sizes);
  return [
    ...combinerEncoderParameters(sizes, form),
    { name: "combiner.head.weight", shape: [2, fanIn], start: { uniform: { fanIn } } },
    { name: "combiner.head.bias", shape: [2], start: "zeros" },
  ];
}

/** Halvings from Z's grid, image / 4, to one pixel. */
function depthOf({ image }: AnclafSizes): number {
  return Math.log2(image / 4);
}
