import * as tf from "@tensorflow/tfjs-core";
import type { Program } from "../../compile/index.ts";
import type { Activation } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { combinerEncoder } from "./combiner.ts";
import type { SequenceAttention } from "./presets.ts";
import { sequenceHead } from "./sequence.ts";

/**
 * The sequence combiner on windows as they are cached: input `zq`, channel-first [N, n, C, H, W]; outputs `affect`,
 * valence and arousal of each frame [N, n, 2], −1..1 as scaled in training, and unless `attention` is `none` the weights
 * `attention` [N, n, n], row t those of frame t's former states.
 */
export function sequenceWindow(parameters: Parameters, attention: SequenceAttention): Program {
  return ({ zq }) => {
    const [windows, n, ...image] = zq!.shape as [number, number, number, number, number];
    // To rows first: a compiler then sees convolutions of channel-first pictures and turns nothing.
    const frames = tf.transpose(tf.reshape(zq!, [windows * n, ...image]), [0, 2, 3, 1]) as Activation;
    const features = combinerEncoder(parameters, frames);
    const out = sequenceHead(parameters, tf.reshape(features, [windows, n, features.shape[1]]), {
      attend: attention !== "none",
      // C-S may have been trained with either's parameters.
      attention: parameters.has("combiner.attention.W") ? "concat" : "location",
    });
    return { affect: out.affect, ...(out.attention && { attention: out.attention }) };
  };
}
