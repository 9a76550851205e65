import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Value } from "../../../src/compile/index.ts";
import { fit as train } from "../../../src/nn/fit.ts";
import { initialise } from "../../../src/nn/init.ts";
import { METRICS, metricsOf } from "../../../src/nn/metrics.ts";
import { count } from "../../../src/nn/weights.ts";
import type { AnclafSizes } from "../../../src/systems/anclaf/presets.ts";
import { STAGE1_PARTS, stage1 } from "../../../src/systems/anclaf/stage1.ts";
import { trainingBatches } from "../../../src/systems/anclaf/training-batches.ts";
import { stage1Validation } from "../../../src/systems/anclaf/validation.ts";
import { drawnFaces } from "./faces.ts";

const sizes: AnclafSizes = { image: 16, generator: 2, discriminator: 3, depth: 3, combiner: 5 };
const side = sizes.image;
const { signal } = new AbortController();

describe("batches", () => {
  const indices = [2, 3, 5, 8, 9, 11, 12];
  const options = { indices, batch: 4, seed: 6 };

  test("feeds of both phases: the same faces, each with what it needs", async () => {
    const batches = trainingBatches(drawnFaces(13, side), options);
    const critic = await batches(3, "discriminator", signal);
    const generator = await batches(3, "generator", signal);
    const shapes = (feeds: typeof critic.feeds) =>
      Object.fromEntries(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));
    const shared = { clean: [4, side, side, 3], distorted: [4, side, side, 3], quadrant: [4, 4] };
    expect(shapes(critic.feeds)).toEqual({ ...shared, alpha: [4, 1, 1, 1] });
    expect(shapes(generator.feeds)).toEqual({ ...shared, labels: [4, 2], weights: [4, 2] });
    expect(critic.ids).toEqual(generator.ids);
    expect(critic.feeds.clean!.data).toEqual(generator.feeds.clean!.data);
  });

  test("labels, weights and quadrants are the faces' own", async () => {
    const faces = drawnFaces(13, side);
    faces.weights.forEach((_, i) => {
      faces.weights[i] = i;
    });
    const { ids, feeds } = await trainingBatches(faces, options)(2, "generator", signal);
    ids!.forEach((id, i) => {
      const own = [Number(id) * 2, Number(id) * 2 + 1];
      const [v, a] = own.map((at) => faces.labels[at]!);
      expect([...feeds.labels!.data.slice(i * 2, i * 2 + 2)]).toEqual([v, a]);
      expect([...feeds.weights!.data.slice(i * 2, i * 2 + 2)]).toEqual(own);
      const quadrant = a! >= 0 ? (v! >= 0 ? 0 : 1) : v! >= 0 ? 3 : 2;
      expect([...feeds.quadrant!.data.slice(i * 4, i * 4 + 4)]).toEqual(
        [0, 1, 2, 3].map((q) => Number(q === quadrant)),
      );
    });
  });

  test("an epoch has every training face once, and no other ever", async () => {
    const faces = drawnFaces(13, side);
    const batches = trainingBatches(faces, options);
    for (let iteration = 1; iteration <= 7; iteration++) await batches(iteration, "discriminator", signal);
    const seen = faces.reads.flat();
    for (let epoch = 0; epoch < 4; epoch++)
      expect(seen.slice(epoch * 7, epoch * 7 + 7).sort((a, b) => a - b)).toEqual(indices);
  });

  test("a pure function of seed and iteration, however they are asked for", async () => {
    const inOrder = trainingBatches(drawnFaces(13, side), options);
    const expected = [];
    for (const i of [1, 2, 3, 4]) expected.push((await inOrder(i, "discriminator", signal)).feeds);
    const jumping = trainingBatches(drawnFaces(13, side), options);
    for (const i of [4, 1, 3]) expect((await jumping(i, "discriminator", signal)).feeds).toEqual(expected[i - 1]);
    const other = await trainingBatches(drawnFaces(13, side), { ...options, seed: 7 })(1, "discriminator", signal);
    expect(other.feeds.clean).not.toEqual(expected[0]!.clean);
  });

  test("about half of the copies are distorted; a batch larger than the training set repeats faces", async () => {
    const batches = trainingBatches(drawnFaces(13, side), { ...options, batch: 200 });
    const { feeds, ids } = await batches(1, "discriminator", signal);
    const size = side * side * 3;
    const same = ids!.filter((_, i) => {
      const own = (name: string) => Buffer.from(feeds[name]!.data.slice(i * size, (i + 1) * size) as Uint8Array);
      return own("clean").equals(own("distorted"));
    });
    expect(same.length / 200).toBeGreaterThan(0.38);
    expect(same.length / 200).toBeLessThan(0.68);
    const alpha = feeds.alpha!.data;
    expect(Math.min(...alpha)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...alpha)).toBeLessThan(1);
    expect(new Set(alpha).size).toBe(200);
  });

  test("an aborted one rejects; a store that fails is told", async () => {
    const batches = trainingBatches(drawnFaces(13, side), options);
    await expect(batches(1, "discriminator", AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    const broken = { ...drawnFaces(13, side), read: () => Promise.reject(new Error("no disk")) };
    await expect(trainingBatches(broken, options)(1, "discriminator", signal)).rejects.toThrow("no disk");
  });
});

describe("phases", () => {
  test("the paper's: Adam at 1e-4 with betas 0.5 and 0.999, D five times as often, weights 1, 10, 10", () => {
    const { phases, parts, settings } = stage1({ preset: "paper" });
    expect(phases.map(({ name, trains, every }) => [name, trains, every])).toEqual([
      ["discriminator", ["discriminator"], 1],
      ["generator", ["generator", "combiner"], 5],
    ]);
    for (const { optimiser } of phases) expect(optimiser.name).toMatch(/^adam\(0\.0001, betas 0\.5[, ]+0\.999/);
    expect(phases[0]!.weights).toEqual({ real: 1, fake: 1, penalty: 10, quadrant: 1 });
    expect(phases[1]!.weights).toMatchObject({ adversarial: 1, reconstruction: 10, quadrant: 1, rmse: 1, ccc: 1 });
    expect(STAGE1_PARTS.map((part) => count(parts[part]))).toEqual([456_864, 2_808_048, 11_214_786]);
    expect(settings).toEqual({ batch: 300, learningRate: 1e-4, schedule: "constant", critics: 5 });
  });
});

test("a rate that falls reaches 0 with the last update of each phase", () => {
  const { phases } = stage1({ preset: "small", iterations: 20 });
  expect(phases.map(({ optimiser: { rate } }) => [rate.at(0), rate.at(10), rate.at(20)])).toEqual([
    [4e-4, 2e-4, 0],
    [4e-4, 0, 0],
  ]);
  expect(phases[1]!.optimiser.rate.at(2)).toBeCloseTo(2e-4, 10);
  expect(() => stage1({ preset: "small" })).toThrow("needs the number of iterations");
});

describe("a short training", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stage1-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("lowers the reconstruction and the affect loss; G and C wait for their turn", { timeout: 120_000 }, async () => {
    const { parts, phases, programs, config } = stage1({
      preset: "small",
      sizes,
      learningRate: 3e-3,
      schedule: "constant",
      critics: 2,
    });
    const faces = drawnFaces(64, side);
    const indices = Array.from({ length: 64 }, (_, i) => i);
    const batch = trainingBatches(faces, { indices, batch: 16, seed: 1 });
    const options = { name: "tiny", parts, phases, programs, config, batch, seed: 4, folder, logEvery: 4, threads: 1 };
    const validation = stage1Validation(faces, { indices: indices.slice(50), every: 40, batch: 5 });
    const run = (iterations: number) => train({ ...options, validation, iterations });
    const first = await run(1);
    const start = STAGE1_PARTS.map((part) => initialise(parts[part], 4));
    expect(first.weights.generator).toEqual(start[0]);
    expect(first.weights.combiner).toEqual(start[2]);
    expect(first.weights.discriminator).not.toEqual(start[1]);
    const result = await run(80);
    for (const part of STAGE1_PARTS) expect(result.weights[part]).not.toEqual(first.weights[part]);
    expect(result.best!.metrics.score).toBeGreaterThan(0.5);
    const log = (await readFile(join(folder, "log.jsonl"), "utf8")).trim().split("\n");
    const lines: Record<string, number>[] = log.flatMap((line) => JSON.parse(line).losses ?? []);
    const mean = (loss: string, some: typeof lines) =>
      some.reduce((sum, line) => sum + line[`generator/${loss}`]!, 0) / some.length;
    for (const loss of ["reconstruction", "ccc", "rmse"]) {
      expect(mean(loss, lines.slice(-4)), loss).toBeLessThan(0.9 * mean(loss, lines.slice(0, 4)));
    }
  });
});

describe("validation", () => {
  const model = (affect: (pixels: Uint8Array, i: number) => [number, number], batches: number[][] = []) => ({
    iteration: 1,
    signal,
    weights: async () => ({}),
    async run(program: string, { pixels }: Record<string, Value>) {
      expect(program).toBe("predict");
      batches.push([...pixels!.shape]);
      const size = side * side * 3;
      const said = Array.from({ length: pixels!.shape[0]! }, (_, i) =>
        affect((pixels!.data as Uint8Array).slice(i * size, (i + 1) * size), i),
      );
      return { affect: { data: Float32Array.from(said.flat()), shape: [said.length, 2] } };
    },
  });
  const faces = drawnFaces(13, side);
  const options = { indices: [1, 4, 5, 9, 12], every: 10, batch: 2 };

  test("scores every face once, with the metrics' own numbers", async () => {
    const batches: number[][] = [];
    const mean = (pixels: Uint8Array) => pixels.reduce((sum, x) => sum + x, 0) / pixels.length;
    const found = await stage1Validation(faces, options).measure(model((p) => [mean(p) / 128 - 1, -mean(p)], batches));
    expect(batches).toEqual([1, 2, 3].map(() => [2, side, side, 3]));
    const all = new Uint8Array(5 * side * side * 3);
    await faces.read(options.indices, all);
    const means = options.indices.map((_, i) => mean(all.slice(i * side * side * 3, (i + 1) * side * side * 3)));
    const label = (dimension: number) => options.indices.map((i) => faces.labels[i * 2 + dimension]!);
    const [valence, arousal] = [
      metricsOf(
        means.map((x) => Math.fround(x / 128 - 1)),
        label(0),
      ),
      metricsOf(
        means.map((x) => Math.fround(-x)),
        label(1),
      ),
    ];
    for (const metric of METRICS) expect(found[metric]).toBeCloseTo((valence[metric] + arousal[metric]) / 2, 9);
    expect(found.score).toBeCloseTo(found.cor! + found.ccc! + found.icc!, 12);
  });

  test("needs faces, and stops when it is told to", async () => {
    expect(() => stage1Validation(faces, { ...options, indices: [] })).toThrow(/no faces to validate/);
    const stopped = { ...model(() => [0, 0]), signal: AbortSignal.abort(new Error("enough")) };
    await expect(stage1Validation(faces, options).measure(stopped)).rejects.toThrow("enough");
  });
});
