import * as tf from "@tensorflow/tfjs-core";
import type { Activation } from "../../nn/layers.ts";

/** Bytes 0..255 to −1..1: scaled to 0..1, then mean 0.5 and deviation 0.5. */
export function normalised(pixels: tf.Tensor): Activation {
  return tf.sub(tf.div(tf.cast(pixels, "float32"), 127.5), 1);
}
