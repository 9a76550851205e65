import * as tf from "@tensorflow/tfjs-core";
import type { Activation } from "../../nn/layers.ts";

/**
 * Bytes 0..255 to −1..1: scaled to 0..1, then mean 0.5 and deviation 0.5. Faces [B, k·side, k·side, 3] are averaged down
 * to `side`.
 */
export function normalised(pixels: tf.Tensor, side: number): Activation {
  const image: Activation = tf.sub(tf.div(tf.cast(pixels, "float32"), 127.5), 1);
  const times = image.shape[1] / side;
  return times === 1 ? image : tf.avgPool(image, times, times, "valid");
}
