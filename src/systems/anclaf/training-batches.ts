import { setImmediate } from "node:timers/promises";
import type { Batch, FitOptions } from "../../nn/fit.ts";
import { shuffled } from "../../nn/shuffled.ts";
import { seeded } from "../../random.ts";
import { augment, drawAugmentation } from "./augmentation.ts";
import { distort, drawDistortion } from "./distortions.ts";
import { QUADRANTS } from "./presets.ts";
import { quadrantOf } from "./quadrants.ts";

/** Faces to train on; a face store with scaled labels. */
export interface TrainingFaces {
  /** Width and height, pixels. */
  readonly side: number;
  /** [count, 2]: valence, arousal, scaled to −1..1. */
  readonly labels: Float32Array;
  /** [count, 2]: weights of the labels, mean 1 over the training faces. */
  readonly weights: Float32Array;
  /** Reads faces by index into [indices.length, side, side, 3], uint8 RGB. */
  read(indices: ArrayLike<number>, into: Uint8Array): Promise<void>;
}

export interface TrainingBatchesOptions {
  /** The faces that may be trained on: the training folds' without the validation's. At least one. */
  readonly indices: ArrayLike<number>;
  readonly batch: number;
  readonly seed: number;
}

/**
 * Batches of stage 1, a pure function of (seed, iteration): every face comes once in an epoch, in an order drawn for it,
 * augmented, then beside it a distorted copy. Both phases of an iteration see the same faces. Feeds, B images of side S:
 * - `clean`, `distorted` uint8 [B, S, S, 3]
 * - `quadrant` float32 [B, 4], one-hot
 * - `alpha` float32 [B, 1, 1, 1], uniform in 0..1, for the discriminator
 * - `labels`, `weights` float32 [B, 2], for the generator
 */
export function trainingBatches(
  faces: TrainingFaces,
  { indices, batch, seed }: TrainingBatchesOptions,
): FitOptions["batch"] {
  const placeOf = shuffled(indices.length, seed);
  let last: { iteration: number; made: Promise<Made> } | undefined;
  return async (iteration, phase, signal): Promise<Batch> => {
    signal.throwIfAborted();
    if (last?.iteration !== iteration) {
      const chosen = Array.from({ length: batch }, (_, i) => indices[placeOf((iteration - 1) * batch + i)]!);
      last = { iteration, made: make(faces, chosen, seed, iteration) };
    }
    const { ids, shared, discriminator, generator } = await last.made;
    return { ids, feeds: { ...shared, ...(phase === "discriminator" ? discriminator : generator) } };
  };
}

interface Made extends Record<"shared" | "discriminator" | "generator", Batch["feeds"]> {
  readonly ids: readonly number[];
}

async function make(faces: TrainingFaces, ids: readonly number[], seed: number, iteration: number): Promise<Made> {
  const { side, labels, weights } = faces;
  const size = side * side * 3;
  const pixels = new Uint8Array(ids.length * size);
  await faces.read(ids, pixels);
  const clean = new Uint8Array(pixels.length);
  const distorted = new Uint8Array(pixels.length);
  const quadrant = new Float32Array(ids.length * QUADRANTS);
  const alpha = new Float32Array(ids.length);
  const root = seeded(seed).fork(`iteration ${iteration}`);
  for (const [i, id] of ids.entries()) {
    const random = root.fork(`${i}`);
    const own = (array: Uint8Array) => array.subarray(i * size, (i + 1) * size);
    augment(own(pixels), side, drawAugmentation(random.fork("augmentation")), own(clean));
    distort(own(clean), side, drawDistortion(random.fork("distortion")), own(distorted));
    quadrant[i * QUADRANTS + quadrantOf(labels[id * 2]!, labels[id * 2 + 1]!)] = 1;
    alpha[i] = random.fork("alpha").next();
    // Whoever runs the training step must get a turn between faces.
    if (i % FACES_A_TURN === FACES_A_TURN - 1) await setImmediate();
  }
  const ofFaces = (array: Float32Array) => ({
    data: Float32Array.from({ length: ids.length * 2 }, (_, i) => array[ids[i >> 1]! * 2 + (i & 1)]!),
    shape: [ids.length, 2],
  });
  const shape = [ids.length, side, side, 3];
  return {
    ids,
    shared: {
      clean: { data: clean, shape },
      distorted: { data: distorted, shape },
      quadrant: { data: quadrant, shape: [ids.length, QUADRANTS] },
    },
    discriminator: { alpha: { data: alpha, shape: [ids.length, 1, 1, 1] } },
    generator: { labels: ofFaces(labels), weights: ofFaces(weights) },
  };
}

const FACES_A_TURN = 8;
