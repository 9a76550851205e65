import * as tf from "@tensorflow/tfjs-core";
import type { Program } from "../../compile/index.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { discriminator, generator, zq } from "./networks.ts";
import { normalised } from "./pixels.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/**
 * Pixels to latents: input `pixels`, uint8 RGB [B, input, input, 3]; outputs `z`, ZQ channel-first [B, C, H, W], and
 * `q`, quadrant probabilities [B, 4]. D reads the reconstruction G(I) (ANCLaF eq. 3).
 */
export function encoder(parameters: Parameters, sizes: AnclafSizes, form: ZqForm): Program {
  return ({ pixels }) => {
    const { z, reconstruction } = generator(parameters, normalised(pixels!, sizes.image));
    const { logits } = discriminator(parameters, sizes, reconstruction);
    return { z: tf.transpose(zq(z, logits, form), [0, 3, 1, 2]), q: tf.softmax(logits) };
  };
}
