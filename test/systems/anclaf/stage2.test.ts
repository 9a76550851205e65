import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compile } from "../../../src/compile/index.ts";
import { affectLosses } from "../../../src/nn/affect-loss.ts";
import { initialise } from "../../../src/nn/init.ts";
import { metricsOf } from "../../../src/nn/metrics.ts";
import { disposeParameters, toParameters } from "../../../src/nn/parameters.ts";
import { count } from "../../../src/nn/weights.ts";
import { seeded } from "../../../src/random.ts";
import type { Window } from "../../../src/records.ts";
import { type SequenceInput, sequenceInput } from "../../../src/systems/anclaf/sequence-input.ts";
import { openSequencePredictor } from "../../../src/systems/anclaf/sequence-predict.ts";
import {
  SEQUENCE_VARIANTS,
  type SequenceVariant,
  stage2,
  variantParameters,
  windowAffect,
} from "../../../src/systems/anclaf/stage2.ts";
import { trainSequence } from "../../../src/systems/anclaf/train-sequence.ts";
import { isTrainable, outOfTime, windowBatches } from "../../../src/systems/anclaf/window-batches.ts";
import { type PredictedWindow, scoredSteps } from "../../../src/systems/anclaf/window-predictions.ts";
import { cut, memoryReader, scale, type Track } from "./windows.ts";

// A feature of 6 numbers and 3 units; ZQ of 4×4 with 8 channels.
const sizes = { image: 16, generator: 1, discriminator: 1, depth: 2, combiner: 3 };
const features: SequenceInput = { kind: "features", preset: "small", sizes };
const latents: SequenceInput = { kind: "latents", preset: "small", sizes, form: "onehot" };
const { signal } = new AbortController();
const none = [Number.NaN, Number.NaN] as const;

/** A clip of so many frames; a face is missing at every seventh frame, a label at every fifth. */
function track(clip: string, length: number, part: Track["part"] = "training", size = 6): Track {
  const random = seeded(clip);
  return {
    clip,
    part,
    values: Array.from({ length }, (_, t) =>
      t % 7 === 3 ? null : Array.from({ length: size }, () => random.uniform(-1, 1)),
    ),
    labels: Array.from({ length }, (_, t) => (t % 5 === 2 ? none : [random.uniform(-10, 10), random.uniform(-10, 10)])),
  };
}

const tracks = [track("a", 9), track("b", 2), track("c", 12), track("d", 5)];

describe("what a step is", () => {
  test("is told by its shape", () => {
    expect(sequenceInput([68, 32, 32])).toMatchObject({ kind: "latents", preset: "paper", form: "onehot" });
    expect(sequenceInput([65, 16, 16])).toMatchObject({ kind: "latents", preset: "small", form: "index" });
    expect(sequenceInput([1024])).toMatchObject({ kind: "features", preset: "paper" });
    expect(sequenceInput([256])).toMatchObject({ kind: "features", preset: "small" });
    expect(() => sequenceInput([68, 8, 8])).toThrow("do not read steps of the shape [68, 8, 8]");
  });

  test("decides what is trained, at the paper's sizes", () => {
    const total = (variant: SequenceVariant, shape: number[]) =>
      count(stage2({ variant, input: sequenceInput(shape), n: 8, iterations: 1 }).parts.combiner);
    expect(total("sa", [68, 32, 32])).toBe(16_462_787);
    expect(total("s", [1024])).toBe(5_250_051);
    expect(total("frame", [68, 32, 32])).toBe(11_214_786);
    expect(total("frame", [1024])).toBe(2050);
  });
});

test("the paper's settings: ⌊4000 / n⌋ windows, Adam at 1e-4", () => {
  const paper = (n: number) => stage2({ variant: "s", input: sequenceInput([1024]), n, iterations: 10 });
  expect([2, 4, 8, 16, 32].map((n) => paper(n).batch)).toEqual([2000, 1000, 500, 250, 125]);
  expect(paper(2).phases[0]!.optimiser.name).toMatch(/^adam\(0\.0001, betas 0\.5[, ]+0\.999/);
  const small = stage2({ variant: "s", input: sequenceInput([256]), n: 8, iterations: 10 });
  expect([small.batch, small.phases[0]!.optimiser.rate.at(10)]).toEqual([64, 0]);
  expect(stage2({ variant: "s", input: features, n: 8, iterations: 1, frames: 3 }).batch).toBe(1);
});

describe("batches", () => {
  const windows = cut(tracks, 4);
  const options = () => ({ windows, batch: 3, seed: 6, reader: memoryReader(tracks), scale });

  test("a step counts where it is there and has a label; a weighted mean over all is one over those", async () => {
    const { feeds, ids } = await windowBatches({ ...options(), batch: windows.length })(1, "combiner", signal);
    expect(feeds.values!.shape).toEqual([windows.length, 4, 6]);
    const found = ids!.map(
      (id) =>
        windows.find(({ clip, index, length }) => id === `${clip!.id}, frames ${index[0]} to ${index[length - 1]}`)!,
    );
    expect(new Set(found).size).toBe(windows.length);
    const counted: [number, number, number][] = [];
    found.forEach((window, i) => {
      expect([...feeds.present!.data.slice(i * 4, i * 4 + 4)]).toEqual([...window.present]);
      for (let t = 0; t < 4; t++) {
        const [v, a] = [window.labels[t * 2]!, window.labels[t * 2 + 1]!];
        const at = (i * 4 + t) * 2;
        const own = [feeds.labels!.data[at]!, feeds.weights!.data[at]!, feeds.weights!.data[at + 1]!] as const;
        if (window.present[t] === 0 || Number.isNaN(v)) expect(own).toEqual([0, 0, 0]);
        else {
          expect(own[0]).toBeCloseTo(v / 10, 6);
          counted.push([v, a, own[1]]);
          expect(own[2] / own[1]).toBeCloseTo((2 + a / 20) / (1 + v / 20), 4);
        }
      }
    });
    expect(counted.length).toBeGreaterThan(10);
    const all = feeds.weights!.data as Float32Array;
    const mean = (d: number) => all.filter((_, k) => (k & 1) === d).reduce((sum, x) => sum + x, 0) / (all.length / 2);
    expect(mean(0)).toBeCloseTo(counted.reduce((sum, [v]) => sum + 1 + v / 20, 0) / counted.length, 4);
    expect(mean(1)).toBeCloseTo(counted.reduce((sum, [, a]) => sum + 2 + a / 20, 0) / counted.length, 4);
  });

  test("an epoch has every window once; a pure function of seed and iteration", async () => {
    const [ordered, jumping] = [options(), options()];
    const batches = windowBatches(ordered);
    const expected = [];
    for (let i = 1; i <= windows.length; i++) expected.push((await batches(i, "combiner", signal)).feeds);
    for (let epoch = 0; epoch < 3; epoch++) {
      const own = ordered.reader.reads.slice(epoch * windows.length, (epoch + 1) * windows.length);
      expect(own.sort()).toEqual(windows.map(({ folder, rows }) => `${folder} ${rows.join()}`).sort());
    }
    for (const i of [3, 1])
      expect((await windowBatches(jumping)(i, "combiner", signal)).feeds).toEqual(expected[i - 1]);
    const other = await windowBatches({ ...options(), seed: 7 })(1, "combiner", signal);
    expect(other.feeds.values).not.toEqual(expected[0]!.values);
  });

  test("dropout hides a share of a window's features, drawn by seed and iteration", async () => {
    const some = (seed: number, iteration: number) =>
      windowBatches({ ...options(), seed, batch: 50, dropout: { share: 0.4, features: 30 } })(
        iteration,
        "combiner",
        signal,
      );
    const { kept } = (await some(6, 2)).feeds;
    expect(kept!.shape).toEqual([50, 30]);
    const values = kept!.data as Float32Array;
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.6)]));
    expect(values.filter((x) => x === 0).length / values.length).toBeCloseTo(0.4, 1);
    expect((await some(6, 2)).feeds.kept).toEqual(kept);
    expect((await some(6, 3)).feeds.kept).not.toEqual(kept);
    expect((await some(7, 2)).feeds.kept).not.toEqual(kept);
    expect((await windowBatches(options())(1, "combiner", signal)).feeds.kept).toBeUndefined();
  });

  test("an aborted one rejects; a reader that fails is told", async () => {
    await expect(windowBatches(options())(1, "combiner", AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
    const broken = { ...options(), reader: { read: () => Promise.reject(new Error("no disk")) } };
    await expect(windowBatches(broken)(1, "combiner", signal)).rejects.toThrow("no disk");
  });

  test("a window without a face that has a label is nothing to learn from", () => {
    const blind = cut([{ ...track("e", 4), values: [null, null, null, [1]] }], 4)[0]!;
    expect(isTrainable(blind)).toBe(true);
    expect(isTrainable({ ...blind, present: new Uint8Array(4) })).toBe(false);
    expect(isTrainable({ ...blind, labels: new Float32Array(8).fill(Number.NaN) })).toBe(false);
  });
});

describe("steps out of time", () => {
  test("are shuffled always alike, and padding stays behind", () => {
    const order = outOfTime(3);
    const [window, padded] = [cut(tracks, 9)[0]!, cut(tracks, 4).find(({ length }) => length < 4)!];
    const own = order(window)!;
    expect([...own].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...own]).not.toEqual([...own].sort((a, b) => a - b));
    expect(outOfTime(3)(window)).toEqual(own);
    expect(outOfTime(4)(window)).not.toEqual(own);
    expect([...order(padded)!.slice(2)]).toEqual([2, 3]);
  });

  test("without a memory change nothing, with one they do", async () => {
    const [frames, memory] = [await said("frame"), await said("s")];
    expect(await said("frame", { order: outOfTime(3) })).toEqual(frames);
    expect(await said("s", { order: outOfTime(3) })).not.toEqual(memory);
  });
});

/** Scored steps by name. */
async function said(
  variant: SequenceVariant,
  { windows = cut(tracks, 4), batch = 4, order = undefined as ReturnType<typeof outOfTime> | undefined } = {},
): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for (const { window, affect } of await predicted(variant, { windows, batch, order }))
    for (const t of scoredSteps(window)) {
      const name = `${window.clip!.id} ${window.index[t]}`;
      expect(found[name]).toBeUndefined();
      found[name] = [...affect.slice(t * 2, t * 2 + 2)];
    }
  return found;
}

async function predicted(
  variant: SequenceVariant,
  given: { windows: readonly Window[]; batch: number; order?: ReturnType<typeof outOfTime> | undefined },
): Promise<PredictedWindow[]> {
  const { windows, batch, order } = given;
  const weights = initialise(variantParameters({ variant, input: features }), 4);
  const reader = memoryReader(tracks);
  await using model = openSequencePredictor({
    network: { variant, input: features },
    weights,
    source: "a test",
    reader,
    batch,
    attended: true,
    engine: "js",
    ...(order && { order }),
  });
  const found: PredictedWindow[] = [];
  for await (const each of model.predict(windows)) found.push(each);
  return found;
}

describe("predictions", () => {
  test("every face once, whatever the length; none of a missing step", async () => {
    const faces = tracks.flatMap(({ clip, values }) => values.flatMap((v, t) => (v === null ? [] : [`${clip} ${t}`])));
    for (const n of [1, 2, 3, 4, 8, 32])
      expect(Object.keys(await said("sa", { windows: cut(tracks, n) })).sort()).toEqual([...faces].sort());
    const [window] = await predicted("s", { windows: cut(tracks, 9), batch: 2 });
    expect(Number.isNaN(window!.affect[3 * 2])).toBe(true);
  });

  test("a window alone is told what it is among others", async () => {
    const windows = cut(tracks, 4);
    const all = await predicted("sa", { windows, batch: 5 });
    for (const k of [0, 3]) {
      const [alone] = await predicted("sa", { windows: [windows[k]!], batch: 5 });
      expect(alone!.affect).toEqual(all[k]!.affect);
      expect(alone!.attention).toEqual(all[k]!.attention);
    }
  });

  test("the control's attention is even over the states there are", async () => {
    const [{ window, attention }] = (await predicted("uniform", { windows: cut(tracks, 9), batch: 1 })) as [
      PredictedWindow,
    ];
    for (let t = 0; t < 9; t++)
      for (let i = 0; i < 9; i++) {
        const before = window.present.slice(0, t).reduce((sum, one) => sum + one, 0);
        expect(attention![t * 9 + i]).toBeCloseTo(i < t && window.present[i] === 1 ? 1 / before : 0, 6);
      }
    expect((await predicted("s", { windows: cut(tracks, 9), batch: 1 }))[0]!.attention).toBeNull();
  });

  test("C-SA may score by concat, and nothing else does", () => {
    const names = (variant: SequenceVariant) =>
      variantParameters({ variant, attention: "concat", input: features }).map(({ name }) => name);
    expect(names("sa")).toContain("combiner.attention.W");
    expect(names("s")).toContain("combiner.attention.weight");
    expect(names("uniform")).toEqual(names("s"));
    expect(stage2({ variant: "sa", attention: "concat", input: features, n: 4, iterations: 1 }).config).toMatchObject({
      attention: "concat",
    });
  });

  test("an answer that is no number is told with its window", async () => {
    const weights = initialise(variantParameters({ variant: "frame", input: features }), 4);
    weights.get("combiner.head.bias")!.data[0] = Number.NaN;
    const reader = memoryReader(tracks);
    await using model = openSequencePredictor({
      network: { variant: "frame", input: features },
      weights,
      source: "t",
      reader,
      batch: 2,
      engine: "js",
    });
    await expect(model.predict(cut(tracks, 4)).next()).rejects.toThrow(
      "prediction for a, frames 0 to 3, step 0, is NaN",
    );
  });
});

describe.each(["features", "latents"] as const)("the loss on %s", (kind) => {
  const input = kind === "features" ? features : latents;
  const size = kind === "features" ? 6 : 8 * 4 * 4;
  const own = ["a", "c"].map((clip, i) => track(clip, 9 + i, "training", size));
  const windows = cut(own, 4).map((window) => ({ ...window, shape: kind === "features" ? [6] : [8, 4, 4] }));
  const reader = {
    read: (some: readonly Pick<Window, "folder" | "rows" | "shape">[], into: Float32Array) =>
      memoryReader(own).read(
        some.map(({ folder, rows }) => ({ folder, rows, shape: [size] })),
        into,
      ),
  };

  test.each(SEQUENCE_VARIANTS)("of %s is that of the counted frames alone", async (variant) => {
    const { feeds } = await windowBatches({ windows, batch: 5, seed: 2, reader, scale })(1, "combiner", signal);
    const { phases, parts } = stage2({ variant, input, n: 4, iterations: 1 });
    const parameters = toParameters(initialise(parts.combiner, 4));
    await using step = compile((inputs) => phases[0]!.losses({ combiner: parameters }, inputs), {
      name: "t",
      engine: "js",
    });
    await using affect = compile(
      ({ values, present }) => ({
        affect: windowAffect({ variant, input }, parameters, values!, present as tf.Tensor2D).affect,
      }),
      { name: "t", engine: "js" },
    );
    const found = await step.run(feeds);
    // What a missing step holds is nothing to anybody.
    const present = feeds.present!.data;
    const dirty = (feeds.values!.data as Float32Array).map((x, k) => (present[Math.floor(k / size)] ? x : 9));
    const again = await step.run({ ...feeds, values: { ...feeds.values!, data: dirty } });
    for (const name of ["rmse", "cor", "ccc", "icc"])
      expect(again[name]!.data[0]).toBeCloseTo(found[name]!.data[0]!, 5);

    const said = (await affect.run({ values: feeds.values!, present: feeds.present! })).affect!.data;
    const [labels, weights] = [feeds.labels!.data, feeds.weights!.data];
    const kept = Array.from({ length: 5 * 4 }, (_, i) => i).filter((i) => weights[i * 2]! > 0);
    expect(kept.length).toBeGreaterThan(8);
    expect(kept.length).toBeLessThan(20);
    // The slow way: means over the frames that count, each dimension by itself.
    let [rmse, ccc] = [0, 0];
    for (const d of [0, 1]) {
      const column = (data: ArrayLike<number>) => kept.map((i) => data[i * 2 + d]!);
      const share = kept.length / 20;
      const errors = kept.map((i) => (said[i * 2 + d]! - labels[i * 2 + d]!) ** 2 * weights[i * 2 + d]! * share);
      rmse += Math.sqrt(errors.reduce((sum, x) => sum + x, 0) / kept.length);
      ccc += 1 - metricsOf(column(said), column(labels), column(weights)).ccc;
    }
    expect(found.rmse!.data[0]).toBeCloseTo(rmse, 4);
    expect(found.ccc!.data[0]).toBeCloseTo(ccc, 4);
    disposeParameters(parameters);
  });
});

test.each(SEQUENCE_VARIANTS)(
  "what %s is trained without is as if its features were 0, and the others larger",
  (variant) => {
    const parameters = toParameters(initialise(variantParameters({ variant, input: features }), 4));
    const [B, n, F] = [2, 3, 6];
    const random = seeded("kept");
    const values = Array.from({ length: B * n * F }, () => random.uniform(-1, 1));
    const kept = Array.from({ length: B * F }, () => (random.next() < 0.5 ? 0 : 2));
    const product = values.map((x, i) => x * kept[Math.floor(i / (n * F)) * F + (i % F)]!);
    const present = tf.ones([B, n]) as tf.Tensor2D;
    const say = (data: number[], mask?: number[]) => {
      const hidden = mask && tf.tensor2d(mask, [B, F]);
      const { affect } = windowAffect(
        { variant, input: features },
        parameters,
        tf.tensor3d(data, [B, n, F]),
        present,
        hidden,
      );
      return [...affect.dataSync()];
    };
    expect(say(values, kept)).toEqual(say(product));
    expect(say(values, kept)).not.toEqual(say(values));
    disposeParameters(parameters);
  },
);

test("dropout is a share", () => {
  for (const dropout of [-0.1, 1, Number.NaN])
    expect(() => stage2({ variant: "s", input: features, n: 2, iterations: 1, dropout })).toThrow("dropout is a share");
});

test("a batch of which nothing counts has finite losses", () => {
  const zeros = tf.zeros<tf.Rank.R2>([4, 2]);
  const { rmse, cor, ccc, icc } = affectLosses(tf.ones([4, 2]), zeros, zeros);
  for (const loss of [rmse, cor, ccc, icc]) expect(Number.isFinite(loss.dataSync()[0])).toBe(true);
  tf.dispose([zeros, rmse, cor, ccc, icc]);
});

describe("a training", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stage2-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  // The label is what the frame before showed: nothing that a single frame could tell.
  const echo = Array.from({ length: 14 }, (_, k): Track => {
    const random = seeded(k);
    const shown = Array.from({ length: 8 }, () => random.uniform(-1, 1));
    return {
      clip: `${k}`,
      part: k < 10 ? "training" : "validation",
      values: shown.map((x) => [x, 1, -x, 0, x, 0.5]),
      labels: shown.map((_, t) => [10 * (shown[t - 1] ?? 0), -10 * (shown[t - 1] ?? 0)]),
    };
  });
  const of = (part: string) => cut(echo, 4).filter(({ clip }) => clip!.part === part);
  const options = (variant: SequenceVariant) => ({
    name: "echo",
    variant,
    input: features,
    n: 4,
    iterations: 120,
    frames: 40,
    learningRate: 2e-2,
    schedule: "cosine" as const,
    training: of("training"),
    validation: of("validation"),
    reader: memoryReader(echo),
    scale: { unit: scale.unit, weight: () => 1 },
    data: "echo",
    seed: 3,
    folder,
    validateEvery: 60,
    engine: "onnx" as const,
    threads: 1,
  });

  test("with a memory learns what a frame alone cannot tell, and goes on to the same bytes", {
    timeout: 60_000,
  }, async () => {
    const whole = await trainSequence({ ...options("sa"), folder: join(folder, "a") });
    expect(whole.best!.metrics.ccc).toBeGreaterThan(0.6);
    const frame = await trainSequence({ ...options("frame"), folder: join(folder, "b") });
    expect(frame.best!.metrics.ccc).toBeLessThan(0.4);
    const stop = new AbortController();
    const progress = (event: { event: string; iteration?: number }) => {
      if (event.event === "step" && event.iteration === 70) stop.abort(new Error("stopped"));
    };
    const cutShort = { ...options("sa"), folder: join(folder, "c") };
    await expect(trainSequence({ ...cutShort, progress, signal: stop.signal })).rejects.toThrow("stopped");
    const resumed = await trainSequence(cutShort);
    expect(resumed.resumedFrom).toBeGreaterThanOrEqual(70);
    const bytes = (weights: typeof whole.weights) =>
      Buffer.concat(
        [...weights.combiner!.values()].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
      );
    expect(bytes(resumed.weights).equals(bytes(whole.weights))).toBe(true);
    await expect(trainSequence({ ...cutShort, data: "other" })).rejects.toThrow("config.data was");
  });

  test("needs windows to learn from, and labelled ones to validate on", async () => {
    const blind = of("training").map((window) => ({ ...window, labels: new Float32Array(8).fill(Number.NaN) }));
    expect(() => trainSequence({ ...options("s"), training: blind })).toThrow(
      "none of the 20 training windows has a face with a label",
    );
    expect(() => trainSequence({ ...options("s"), validation: blind })).toThrow("no labelled frames to validate on");
  });
});
