import * as tf from "@tensorflow/tfjs-core";
import type { Program } from "../../compile/index.ts";
import type { Activation } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { discriminator, generator, zq } from "./networks.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/**
 * Pixels to latents: input `pixels`, uint8 RGB [B, image, image, 3]; outputs `z`, ZQ channel-first [B, C, H, W], and
 * `q`, quadrant probabilities [B, 4]. D reads the reconstruction G(I) (ANCLaF eq. 3).
 */
export function encoder(parameters: Parameters, sizes: AnclafSizes, form: ZqForm): Program {
  return ({ pixels }) => {
    const { z, reconstruction } = generator(parameters, normalised(pixels!));
    const { logits } = discriminator(parameters, sizes, reconstruction);
    return { z: tf.transpose(zq(z, logits, form), [0, 3, 1, 2]), q: tf.softmax(logits) };
  };
}

/** Bytes 0..255 to −1..1: scaled to 0..1, then mean 0.5 and deviation 0.5. */
function normalised(pixels: tf.Tensor): Activation {
  return tf.sub(tf.div(tf.cast(pixels, "float32"), 127.5), 1);
}
