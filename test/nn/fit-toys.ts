import { mkdtempSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "../../src/compile/index.ts";
import type { Batch, FitOptions, Phase } from "../../src/nn/fit.ts";
import type { Optimiser } from "../../src/nn/optimisers.ts";
import { constant } from "../../src/nn/schedules.ts";
import { type Random, seeded } from "../../src/random.ts";

/** A folder for one test; the caller's afterAll removes `root`. */
export const root = mkdtempSync(join(tmpdir(), "fit-"));
let folders = 0;
export const scratch = (): string => join(root, String(folders++));

/** Plain gradient descent: its updates can be written down in a line. */
export const descent = (rate: number): Optimiser => ({
  name: `descent(${rate})`,
  rate: constant(rate),
  start: () => ({}),
  update: (parameters, gradient) => ({ parameters: tf.sub(parameters, tf.mul(gradient, rate)), state: {} }),
});

export const values = (shape: readonly number[], random: Random): Value => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** Samples, real points, noise to make fakes of, and what the combiner should say of them: sizes that all differ. */
export const DIMS = { batch: 7, real: 3, noise: 2, said: 5 } as const;

const fakes = (g: tf.Tensor, z: tf.Tensor) => tf.matMul(z, g, false, true);
const by = (points: tf.Tensor, w: tf.Tensor) => tf.mean<tf.Scalar>(tf.matMul(points, tf.reshape(w, [DIMS.real, 1])));

/** A critic every iteration, and every third one a generator together with a combiner, in one summed backward. */
export const adversarialPhases = (optimiser: Optimiser, every = 3): readonly Phase[] => [
  {
    name: "critic",
    trains: ["critic"],
    optimiser,
    losses: ({ critic, generator }, { real, z }) => ({
      gap: tf.sub<tf.Scalar>(by(fakes(generator!.get("g")!, z!), critic!.get("w")!), by(real!, critic!.get("w")!)),
      ridge: tf.sum<tf.Scalar>(tf.square(critic!.get("w")!)),
    }),
    weights: { gap: 1, ridge: 0.5 },
  },
  {
    name: "generator",
    trains: ["generator", "combiner"],
    every,
    optimiser,
    losses({ critic, generator, combiner }, { z, y }) {
      const fake = fakes(generator!.get("g")!, z!);
      const said = tf.add(tf.matMul(fake, combiner!.get("c")!, false, true), combiner!.get("bias")!);
      return {
        adversarial: tf.neg(by(fake, critic!.get("w")!)),
        fit: tf.mean<tf.Scalar>(tf.squaredDifference(said, y!)),
        size: tf.sum<tf.Scalar>(tf.square(generator!.get("g")!)),
      };
    },
    weights: { adversarial: 0.7, fit: 2, size: 0 },
  },
];

export const adversarialParts: FitOptions["parts"] = {
  critic: [{ name: "w", shape: [DIMS.real], start: { uniform: { fanIn: DIMS.real } } }],
  generator: [{ name: "g", shape: [DIMS.real, DIMS.noise], start: { uniform: { fanIn: DIMS.noise } } }],
  combiner: [
    { name: "c", shape: [DIMS.said, DIMS.real], start: { uniform: { fanIn: DIMS.real } } },
    { name: "bias", shape: [DIMS.said], start: "ones" },
  ],
};

export async function adversarialBatch(iteration: number, phase: string): Promise<Batch> {
  const random = seeded(`adversarial ${iteration} ${phase}`);
  const z = values([DIMS.batch, DIMS.noise], random);
  const other: Record<string, Value> =
    phase === "critic"
      ? { real: values([DIMS.batch, DIMS.real], random) }
      : { y: values([DIMS.batch, DIMS.said], random) };
  return { feeds: { z, ...other }, ids: Array.from({ length: DIMS.batch }, (_, i) => `${iteration}.${i}`) };
}

export const adversarial = (optimiser: Optimiser, more: Partial<FitOptions> = {}): FitOptions => ({
  name: "toy",
  parts: adversarialParts,
  phases: adversarialPhases(optimiser),
  batch: adversarialBatch,
  iterations: 12,
  seed: 5,
  folder: scratch(),
  threads: 1,
  ...more,
});

/** What two runs are compared by: the log and the checkpoints, byte for byte. */
export async function outcome(folder: string): Promise<Record<string, string>> {
  const files = ["log.jsonl", ...(await readdir(join(folder, "checkpoints"))).map((name) => `checkpoints/${name}`)];
  const entries = files.sort().map(async (file) => [file, (await readFile(join(folder, file))).toString("base64")]);
  return Object.fromEntries(await Promise.all(entries));
}

export async function logOf(folder: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(folder, "log.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
