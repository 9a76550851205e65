import * as tf from "@tensorflow/tfjs-core";
import type { Activation } from "../../nn/layers.ts";
import { combiner } from "./combiner.ts";
import type { Parts } from "./losses.ts";
import { discriminator, generator, zq } from "./networks.ts";
import { normalised } from "./pixels.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/** What the trained networks say of images. */
export interface Predictions {
  /** Valence, arousal [B, 2], as scaled in training: −1..1. */
  readonly affect: tf.Tensor2D;
  /** Quadrant probabilities [B, 4]. */
  readonly quadrant: tf.Tensor2D;
  /** ZQ, [B, image/4, image/4, C]. */
  readonly latent: Activation;
  /** G(I) [B, image, image, 3], −1..1. */
  readonly reconstruction: Activation;
}

/** G, D on what G gives, C on both (ANCLaF eq. 3). Pixels: RGB 0..255 [B, input, input, 3]. */
export function predictions(parts: Parts, sizes: AnclafSizes, form: ZqForm, pixels: tf.Tensor): Predictions {
  const { z, reconstruction } = generator(parts.generator, normalised(pixels, sizes.image));
  const { logits } = discriminator(parts.discriminator, sizes, reconstruction);
  const latent = zq(z, logits, form);
  const { affect } = combiner(parts.combiner, latent);
  return { affect, quadrant: tf.softmax(logits), latent, reconstruction };
}
