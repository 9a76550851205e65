import * as tf from "@tensorflow/tfjs-core";
import type { Program } from "../../compile/index.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { combinerParameters } from "./combiner.ts";
import { discriminatorParameters, generatorParameters } from "./networks.ts";
import { predictions } from "./predictions.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/**
 * All of frame ANCLaF in one program (eq. 3): input `pixels`, uint8 RGB [N, input, input, 3]; outputs `z`, ZQ
 * channel-first [N, C, H, W], `q`, quadrant probabilities [N, 4], `valence` and `arousal` [N], −1..1 as scaled in training.
 */
export function frame(parameters: Parameters, sizes: AnclafSizes, form: ZqForm): Program {
  const parts = { generator: parameters, discriminator: parameters, combiner: parameters };
  return ({ pixels }) => {
    const { affect, quadrant, latent } = predictions(parts, sizes, form, pixels!);
    const [valence, arousal] = tf.unstack(affect, 1) as [tf.Tensor1D, tf.Tensor1D];
    return { z: tf.transpose(latent, [0, 3, 1, 2]), q: quadrant, valence, arousal };
  };
}

/** G's, D's and C's. */
export const frameParameters = (sizes: AnclafSizes, form: ZqForm) => [
  ...generatorParameters(sizes),
  ...discriminatorParameters(sizes),
  ...combinerParameters(sizes, form),
];
