import * as tf from "@tensorflow/tfjs-core";
import { convWeight } from "../../nn/init.ts";
import { type Activation, conv2d, doublingConv, instanceNorm, leakyRelu } from "../../nn/layers.ts";
import { type Parameters, scope } from "../../nn/parameters.ts";
import type { ParameterSpec } from "../../nn/weights.ts";
import { type AnclafSizes, QUADRANTS, type ZqForm } from "./presets.ts";

/** What the generator gives. */
export interface Generated {
  /** Latent Z [B, image/4, image/4, 4·width]: an instance norm's output, so each channel's spatial mean is its shift. */
  readonly z: Activation;
  /** The cleaned image G(I) [B, image, image, 3], −1..1. */
  readonly reconstruction: Activation;
}

/**
 * G, the denoising autoencoder (ANCLaF §3.1; StarGAN's generator without domain code): two halvings, three residual
 * bodies to Z, the third without its skip, two more, two doublings.
 * Image [B, image, image, 3], RGB, −1..1.
 */
export function generator(parameters: Parameters, image: Activation): Generated {
  const part = (name: string) => scope(parameters, `generator.${name}`);
  const norm = (x: Activation, name: string, n = "") =>
    instanceNorm(x, part(name)(`norm${n}.weight`), part(name)(`norm${n}.bias`));
  const conv = (x: Activation, name: string, stride: number, padding: number) =>
    tf.relu(norm(conv2d(x, part(name)("conv.weight"), { stride, padding }), name));
  const body = (x: Activation, name: string) => {
    const y = tf.relu(norm(conv2d(x, part(name)("conv1.weight"), { padding: 1 }), name, "1"));
    return norm(conv2d(y, part(name)("conv2.weight"), { padding: 1 }), name, "2");
  };
  const residual = (x: Activation, name: string) => tf.add(x, body(x, name)) as Activation;
  const double = (x: Activation, name: string) => tf.relu(norm(doublingConv(x, part(name)("conv.weight")), name));

  let x = conv(image, "e1", 1, 3);
  x = conv(x, "e2", 2, 1);
  x = conv(x, "e3", 2, 1);
  x = residual(x, "r1");
  x = residual(x, "r2");
  const z = body(x, "r3");
  x = residual(z, "r4");
  x = residual(x, "r5");
  x = double(x, "d1");
  x = double(x, "d2");
  const reconstruction = tf.tanh(conv2d(x, part("d3")("conv.weight"), { padding: 3 }));
  return { z, reconstruction };
}

/** What the discriminator gives. */
export interface Judged {
  /** Realness of each patch [B, side, side, 1], linear: a Wasserstein critic's. */
  readonly score: Activation;
  /** Quadrant logits [B, 4], ids as in {@link quadrantOf}. */
  readonly logits: tf.Tensor2D;
}

/**
 * D, critic and quadrant classifier (ANCLaF §3.1): halving convolutions with bias and leaky ReLU, then two heads.
 * Image as the generator's; at inference it is the reconstruction G(I) (eq. 3).
 */
export function discriminator(parameters: Parameters, sizes: AnclafSizes, image: Activation): Judged {
  const part = (name: string) => scope(parameters, `discriminator.${name}`);
  let x = image;
  for (let i = 1; i <= sizes.depth; i++) {
    const own = part(`c${i}`);
    x = leakyRelu(conv2d(x, own("weight"), { stride: 2, padding: 1, bias: own("bias") }));
  }
  const score = conv2d(x, part("score")("weight"), { padding: 1 });
  const logits = conv2d(x, part("quadrant")("weight"));
  return { score, logits: tf.reshape(logits, [image.shape[0], QUADRANTS]) };
}

/**
 * ZQ: Q joined to Z along the channels (ANCLaF §3.1, "layer-wise concatenation").
 * `onehot`: one constant plane per quadrant with its softmax probability, so it passes gradients; `index`: one plane
 * with the likeliest id, as the published code stores it; `none`: Z alone.
 */
export function zq(z: Activation, logits: tf.Tensor2D, form: ZqForm): Activation {
  if (form === "none") return z;
  const [batch, height, width] = z.shape;
  const q = form === "onehot" ? tf.softmax(logits) : tf.cast(tf.argMax(logits, 1), "float32");
  const planes = form === "onehot" ? QUADRANTS : 1;
  const plane = tf.broadcastTo(tf.reshape(q, [batch, 1, 1, planes]), [batch, height, width, planes]);
  return tf.concat([z, plane as Activation], 3);
}

export function generatorParameters({ generator: w }: AnclafSizes): ParameterSpec[] {
  const conv = (name: string, shape: readonly [number, number, number, number], channels: number) => [
    convWeight(`generator.${name}.conv.weight`, shape),
    ...norm(name, "", channels),
  ];
  const norm = (name: string, n: string, channels: number): ParameterSpec[] => [
    { name: `generator.${name}.norm${n}.weight`, shape: [channels], start: "ones" },
    { name: `generator.${name}.norm${n}.bias`, shape: [channels], start: "zeros" },
  ];
  const body = (name: string) =>
    ["1", "2"].flatMap((n) => [
      convWeight(`generator.${name}.conv${n}.weight`, [4 * w, 4 * w, 3, 3]),
      ...norm(name, n, 4 * w),
    ]);
  return [
    ...conv("e1", [w, 3, 7, 7], w),
    ...conv("e2", [2 * w, w, 4, 4], 2 * w),
    ...conv("e3", [4 * w, 2 * w, 4, 4], 4 * w),
    ...["r1", "r2", "r3", "r4", "r5"].flatMap(body),
    ...conv("d1", [4 * w, 2 * w, 4, 4], 2 * w),
    ...conv("d2", [2 * w, w, 4, 4], w),
    convWeight("generator.d3.conv.weight", [3, w, 7, 7]),
  ];
}

export function discriminatorParameters({ discriminator: w, depth, image }: AnclafSizes): ParameterSpec[] {
  const widths = [3, ...Array.from({ length: depth }, (_, i) => w * 2 ** i)];
  const last = widths[depth]!;
  const side = image / 2 ** depth;
  return [
    ...Array.from({ length: depth }, (_, i): ParameterSpec[] => {
      const fanIn = widths[i]! * 16;
      const name = `discriminator.c${i + 1}`;
      return [
        convWeight(`${name}.weight`, [widths[i + 1]!, widths[i]!, 4, 4]),
        { name: `${name}.bias`, shape: [widths[i + 1]!], start: { uniform: { fanIn } } },
      ];
    }).flat(),
    convWeight("discriminator.score.weight", [1, last, 3, 3]),
    convWeight("discriminator.quadrant.weight", [QUADRANTS, last, side, side]),
  ];
}
