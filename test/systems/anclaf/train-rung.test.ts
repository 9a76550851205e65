import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exportWeights } from "../../../src/nn/fit/export.ts";
import { weightsOf } from "../../../src/nn/fit.ts";
import { initialise } from "../../../src/nn/init.ts";
import type { Weights } from "../../../src/nn/weights.ts";
import { seeded } from "../../../src/random.ts";
import { combinerParameters } from "../../../src/systems/anclaf/combiner.ts";
import { rungsOf } from "../../../src/systems/anclaf/curriculum.ts";
import type { SequenceInput } from "../../../src/systems/anclaf/sequence-input.ts";
import { stage2Presets } from "../../../src/systems/anclaf/stage2.ts";
import { type TrainRungOptions, trainRung } from "../../../src/systems/anclaf/train-rung.ts";
import { cut, memoryReader, scale, type Track } from "./windows.ts";

// ZQ of 4×4 with 8 channels; a feature of 6 numbers and 3 units.
const sizes = { image: 16, generator: 1, discriminator: 1, depth: 2, combiner: 3 };
const input: SequenceInput = { kind: "latents", preset: "small", sizes, form: "onehot" };
const SIZE = 8 * 4 * 4;

const tracks = (["training", "training", "validation", "test"] as const).map((part, k): Track => {
  const random = seeded(`clip ${k}`);
  const number = () => random.uniform(-1, 1);
  return {
    clip: `${k}`,
    part,
    values: Array.from({ length: 8 }, () => Array.from({ length: SIZE }, number)),
    labels: Array.from({ length: 8 }, () => [10 * number(), 10 * number()]),
  };
});

let place: string;
let frame: string;
const frameWeights = initialise(combinerParameters(sizes, "onehot"), 11);
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "train-rung-"));
  frame = join(place, "frame.safetensors");
  const about = { trainedOn: "nothing", command: "none", seed: 11, metrics: {} };
  await exportWeights(frame, [frameWeights], about, "f32");
});
afterAll(() => rm(place, { recursive: true }));

const [first, , attending] = rungsOf({
  model: "anclaf-sa",
  n: 4,
  lengths: [2],
  everyLength: false,
  controls: false,
  steps: 1,
}) as [ReturnType<typeof rungsOf>[0], unknown, ReturnType<typeof rungsOf>[0]];

/** Trains at a rate that changes nothing that can be seen, unless another is given. */
function training(name: string, rung: typeof first, changed: Partial<TrainRungOptions> = {}) {
  const windows = cut(
    tracks.map((track) => ({ ...track })),
    rung.n,
  ).map((window) => ({ ...window, shape: [8, 4, 4] }));
  const of = (part: string) => windows.filter(({ clip }) => clip!.part === part);
  const reader = memoryReader(tracks);
  return trainRung(
    { ...rung, steps: changed.validateEvery === undefined ? 1 : 6 },
    {
      windows: { training: of("training"), validation: of("validation"), test: of("test") },
      input,
      attention: "location",
      reader: {
        read: (some, into) =>
          reader.read(
            some.map((one) => ({ ...one, shape: [SIZE] })),
            into,
          ),
      },
      labels: { unit: scale.unit, weight: () => 1 },
      range: { valence: [-10, 10], arousal: [-10, 10] },
      folder: join(place, name),
      from: null,
      frame,
      data: "tiny",
      seed: 3,
      learningRate: 1e-12,
      validateEvery: 1,
      engine: "onnx",
      threads: 1,
      ...changed,
    },
  );
}

const far = (a: Weights, b: Weights, name: string) =>
  Math.max(...Array.from(a.get(name)!.data, (x, i) => Math.abs(x - b.get(name)!.data[i]!)));

describe("a training begins with", () => {
  test("the frame model's encoder and a fresh memory, or all fresh", { timeout: 60_000 }, async () => {
    const { weights } = await training("frame", first);
    const { weights: fresh } = await training("fresh", first, { encoder: "fresh" });
    const { weights: none } = await training("none", first, { frame: null });
    for (const name of ["combiner.c1.weight", "combiner.c2.bias"]) {
      expect(far(weights, frameWeights, name)).toBeLessThan(1e-6);
      expect(far(fresh, frameWeights, name)).toBeGreaterThan(0.01);
      expect(far(fresh, none, name)).toBe(0);
    }
    for (const name of weights.keys())
      if (!/combiner\.c\d/.test(name)) expect(far(weights, fresh, name)).toBeLessThan(1e-6);
  });

  test("the best or the last weights of the one before", { timeout: 60_000 }, async () => {
    const before = await training("before", first, { learningRate: 0.05, validateEvery: 1, schedule: "constant" });
    const last = join(place, "before", before.last);
    const best = join(place, "best.safetensors");
    const about = { trainedOn: "nothing", command: "none", seed: 3, metrics: {} };
    await exportWeights(best, [before.weights], about, "f32");
    const name = "combiner.head.weight";
    const lastWeights = await weightsOf(last, "combiner");
    const rung = { ...attending, n: 2 };
    const from = { last, best };
    const taken = await training("taken", rung, { from });
    const published = await training("published", rung, { from, handOver: "last" });
    expect(far(before.weights, lastWeights, name)).toBeGreaterThan(1e-4);
    expect(far(taken.weights, before.weights, name)).toBeLessThan(1e-6);
    expect(far(published.weights, lastWeights, name)).toBeLessThan(1e-6);
  });
});

test("the paper's preset begins afresh, hands on the last weights and hides nothing", () => {
  expect(stage2Presets.paper).toMatchObject({ encoder: "fresh", handOver: "last", dropout: 0 });
});
