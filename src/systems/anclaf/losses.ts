import * as tf from "@tensorflow/tfjs-core";
import { affectLosses } from "../../nn/affect-loss.ts";
import { detach } from "../../nn/detach.ts";
import type { Activation } from "../../nn/layers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { combiner } from "./combiner.ts";
import { discriminator, generator, zq } from "./networks.ts";
import type { AnclafSizes, ZqForm } from "./presets.ts";

/** Parameters of ANCLaF's parts, by part. */
export type Parts = Readonly<Record<"generator" | "discriminator" | "combiner", Parameters>>;

/** What G is to give back for a distorted image: the clean image (the paper's), or it after a second pass (the code's). */
export const RECONSTRUCTIONS = ["direct", "cycle"] as const;
export type Reconstruction = (typeof RECONSTRUCTIONS)[number];

export interface CriticInputs {
  /** [B, image, image, 3], −1..1, as is `distorted`. */
  readonly clean: Activation;
  readonly distorted: Activation;
  /** One-hot [B, 4]. */
  readonly quadrant: tf.Tensor2D;
  /** Where between clean and fake the gradient is looked at, uniform in 0..1 [B, 1, 1, 1]. */
  readonly alpha: tf.Tensor4D;
}

/**
 * The discriminator's losses: a Wasserstein critic with gradient penalty (Gulrajani et al. 2017) and the quadrant head
 * (ANCLaF §3.1; weights 1, 1, 10, 1). G is a constant.
 * - `real` −mean D(x), `fake` mean D(G(x̃)): mean over images and patches
 * - `penalty`: see {@link gradientPenalty}
 * - `quadrant`: cross-entropy of the head on the clean image
 */
export function criticLosses(parts: Parts, sizes: AnclafSizes, inputs: CriticInputs): Record<string, tf.Scalar> {
  const { clean, distorted, quadrant, alpha } = inputs;
  const fake = generator(parts.generator, distorted).reconstruction;
  // No part of D looks across images, so both go in one batch.
  const judged = discriminator(parts.discriminator, sizes, tf.concat([clean, fake]));
  const [onReal, onFake] = tf.split(judged.score, 2);
  const logits = tf.slice(judged.logits, 0, clean.shape[0]);
  const score = (x: Activation) => discriminator(parts.discriminator, sizes, x).score;
  return {
    real: tf.neg(tf.mean(onReal!)),
    fake: tf.mean(onFake!),
    penalty: gradientPenalty(score, clean, fake, alpha),
    quadrant: crossEntropy(logits, quadrant),
  };
}

/**
 * mean (‖∇ₓ Σ D(x)‖₂ − 1)² at x = α·clean + (1 − α)·fake, the norm over all of an image, D's score summed over its
 * patches (Gulrajani et al. 2017, eq. 3). `score` must be differentiable twice.
 */
export function gradientPenalty(
  score: (image: Activation) => tf.Tensor,
  clean: Activation,
  fake: Activation,
  alpha: tf.Tensor4D,
): tf.Scalar {
  const between = tf.add(tf.mul(clean, alpha), tf.mul(fake, tf.sub(1, alpha))) as Activation;
  const gradient = tf.grad((image) => tf.sum(score(image as Activation)))(between);
  const squares = tf.sum(tf.square(gradient), [1, 2, 3]);
  // The root's gradient at 0 is infinite.
  const norms = tf.sqrt(tf.maximum(squares, 1e-12));
  return tf.mean(tf.square(tf.sub(norms, 1)));
}

export interface GeneratorInputs extends Omit<CriticInputs, "alpha"> {
  /** Valence, arousal [B, 2], scaled to −1..1. */
  readonly labels: tf.Tensor2D;
  /** Of each label [B, 2], mean 1 over the training frames. */
  readonly weights: tf.Tensor2D;
}

/**
 * The losses of generator and combiner, which are trained together: the affect loss reaches G through Z. D is a constant.
 * - `adversarial` −mean D(G(x̃)); weight 1
 * - `reconstruction` mean |x − G(x̃)|, or with `cycle` mean |x − G(G(x̃))|; weight 10
 * - `quadrant` cross-entropy of D's head on G(x̃); weight 1
 * - `rmse`, `cor`, `ccc`, `icc`: the affect loss of C([Z; Q]), Q a constant; weight 1 each
 */
export function generatorLosses(
  parts: Parts,
  sizes: AnclafSizes,
  inputs: GeneratorInputs,
  { form, reconstruction }: { form: ZqForm; reconstruction: Reconstruction },
): Record<string, tf.Scalar> {
  const { clean, distorted, quadrant, labels, weights } = inputs;
  const made = generator(parts.generator, distorted);
  const { score, logits } = discriminator(parts.discriminator, sizes, made.reconstruction);
  const { affect } = combiner(parts.combiner, zq(made.z, detach(logits), form));
  const cleaned =
    reconstruction === "direct" ? made.reconstruction : generator(parts.generator, made.reconstruction).reconstruction;
  return {
    adversarial: tf.neg(tf.mean(score)),
    reconstruction: tf.mean(tf.abs(tf.sub(clean, cleaned))),
    quadrant: crossEntropy(logits, quadrant),
    ...affectLosses(affect, labels, weights),
  };
}

/** Mean cross-entropy of logits [B, classes] against one-hot targets. */
export function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), 1)));
}
