import { rmSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, test } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { type FitEvent, type FitOptions, type Phase, fit as train } from "../../src/nn/fit.ts";
import { initialise } from "../../src/nn/init.ts";
import { adam } from "../../src/nn/optimisers.ts";
import { cosine } from "../../src/nn/schedules.ts";
import type { Weights } from "../../src/nn/weights.ts";
import { seeded } from "../../src/random.ts";
import {
  adversarial,
  adversarialBatch,
  adversarialParts,
  adversarialPhases,
  DIMS,
  descent,
  logOf,
  outcome,
  root,
  scratch,
  values,
} from "./fit-toys.ts";

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Largest difference between the weights of two runs, relative to the larger of them and 1e-3. */
function apart(a: Record<string, Weights>, b: Record<string, Weights>): number {
  let worst = 0;
  for (const [part, weights] of Object.entries(a))
    for (const [name, { data }] of weights)
      data.forEach((x, i) => {
        const y = b[part]!.get(name)!.data[i]!;
        worst = Math.max(worst, Math.abs(x - y) / Math.max(Math.abs(x), Math.abs(y), 1e-3));
      });
  return worst;
}

describe("what is computed", () => {
  test("phases in order, each as often as it should, as a slow loop in plain numbers", async () => {
    const options = adversarial(descent(0.05), { iterations: 13, logEvery: 5 });
    const result = await train(options);
    const { critic, generator, combiner, losses } = await slowly(13, 0.05);
    const close = (found: Iterable<number>, expected: readonly number[]) => {
      for (const [i, x] of [...found].entries()) expect(Math.abs(x - expected[i]!)).toBeLessThan(2e-5);
    };
    close(result.weights.critic!.get("w")!.data, critic);
    close(result.weights.generator!.get("g")!.data, generator.flat());
    close(result.weights.combiner!.get("c")!.data, combiner.c.flat());
    close(result.weights.combiner!.get("bias")!.data, combiner.bias);
    expect(result).toMatchObject({ iteration: 13, stopped: "iterations", best: null, resumedFrom: null });

    // Means since the line before; the generator ran in iterations 3 | 6 and 9 of lines 5 | 10.
    const [begin, ...lines] = await logOf(options.folder);
    expect(begin).toHaveProperty("begin.seed", 5);
    expect(lines.map(({ iteration }) => iteration)).toEqual([5, 10]);
    const mean = (key: string, from: number, to: number) => {
      const some = losses.filter((entry) => entry.key === key && entry.iteration >= from && entry.iteration <= to);
      return some.reduce((sum, entry) => sum + entry.value, 0) / some.length;
    };
    const keys = ["critic/gap", "critic/ridge", "critic/total", "generator/adversarial", "generator/fit"];
    for (const [line, from, to] of [
      [lines[0]!, 1, 5],
      [lines[1]!, 6, 10],
    ] as const)
      for (const key of [...keys, "generator/size", "generator/total"])
        expect((line.losses as Record<string, number>)[key]).toBeCloseTo(mean(key, from, to), 4);
    expect(lines[0]!.learningRate).toEqual({ critic: 0.05, generator: 0.05 });
  });

  test("linear regression ends at the least-squares solution", async () => {
    const random = seeded("regression");
    const [rows, columns] = [40, 3];
    const x = values([rows, columns], random);
    const y = { shape: [rows], data: Float32Array.from({ length: rows }, () => random.normal()) };
    const { weights } = await train({
      name: "regression",
      parts: { line: [{ name: "slope", shape: [columns], start: "zeros" }] },
      phases: [
        {
          name: "descend",
          trains: ["line"],
          optimiser: adam({ learningRate: cosine(0.05, { length: 500 }) }),
          losses: ({ line }, { x, y }) => ({
            square: tf.mean(tf.squaredDifference(tf.dot(x!, line!.get("slope")!), y!)) as tf.Scalar,
          }),
          weights: { square: 1 },
        },
      ],
      batch: async () => ({ feeds: { x, y } }),
      iterations: 500,
      stepsPerRun: 25,
      seed: 1,
      folder: scratch(),
      threads: 1,
    });
    const expected = leastSquares(x.data as Float32Array, y.data, columns);
    for (const [i, b] of expected.entries()) expect(weights.line!.get("slope")!.data[i]).toBeCloseTo(b, 4);
  });

  test("engine js gives the numbers of engine onnx", async () => {
    const run = (engine: "js" | "onnx") => {
      const more = { engine, iterations: 3, phases: adversarialPhases(adam({ learningRate: 0.01, clipNorm: 1 }), 2) };
      return train(adversarial(descent(1), more));
    };
    const [js, onnx] = [await run("js"), await run("onnx")];
    expect([js.engine.name, onnx.engine.name]).toEqual(["js", "onnx"]);
    expect(apart(js.weights, onnx.weights)).toBeLessThan(1e-4);
    expect(apart(js.weights, (await train(adversarial(descent(1), { iterations: 3 }))).weights)).toBeGreaterThan(0.01);
  });

  test("parts that no phase trains stay as they are, and a given start is where training starts", async () => {
    const [critic] = adversarialPhases(descent(0.05)) as [Phase];
    const generator = initialise(adversarialParts.generator!, 99);
    const { weights } = await train(adversarial(descent(1), { engine: "js", phases: [critic], start: { generator } }));
    expect(weights.generator).toEqual(generator);
    expect(weights.combiner).toEqual(initialise(adversarialParts.combiner!, 5));
    expect(weights.critic).not.toEqual(initialise(adversarialParts.critic!, 5));
  });

  test("the same seed gives the same bytes, another one others", async () => {
    const once = async (seed: number) => {
      const options = adversarial(adam({ learningRate: 0.01 }), { seed, engine: "js" });
      await train(options);
      return outcome(options.folder);
    };
    const first = await once(5);
    expect(Object.keys(first)).toEqual(["checkpoints/000000012.safetensors", "log.jsonl"]);
    expect(await once(5)).toEqual(first);
    expect(await once(6)).not.toEqual(first);
  });
});

describe("several steps at once", () => {
  const cases: [string, number, number, (iteration: number) => string | undefined][] = [
    ["blocks of critic steps between generator steps", 3, 5, () => undefined],
    ["whole iterations where every phase runs in each", 1, 4, () => undefined],
    ["batches of another size break a block up", 3, 5, (i) => (i === 5 ? "small" : undefined)],
  ];
  test.each(cases)("%s: bit for bit the results of one at a time", async (_, every, stepsPerRun, size) => {
    const run = async (stepsPerRun: number) => {
      const options = adversarial(descent(1), {
        stepsPerRun,
        iterations: 11,
        checkpointEvery: 6,
        logEvery: 4,
        phases: adversarialPhases(adam({ learningRate: 0.01 }), every),
        async batch(iteration, phase) {
          const { feeds, ids } = await adversarialBatch(iteration, phase);
          if (size(iteration) === undefined) return { feeds, ids: ids! };
          const cut = Object.entries(feeds).map(
            ([
              name,
              {
                data,
                shape: [, n],
              },
            ]) => [name, { data: data.slice(0, 4 * n!), shape: [4, n!] }],
          );
          return { feeds: Object.fromEntries(cut), ids: ids!.slice(0, 4) };
        },
      });
      const { weights } = await train(options);
      return { weights, lines: (await logOf(options.folder)).slice(1) };
    };
    expect(await run(stepsPerRun)).toEqual(await run(1));
  });
});

describe("batches", () => {
  test("are asked for ahead, in order, no more than are allowed, and none after the end", async () => {
    const asked: string[] = [];
    const options = adversarial(descent(0.01), {
      iterations: 7,
      batchesAhead: 3,
      batch: (iteration, phase) => {
        asked.push(`${iteration} ${phase}`);
        return adversarialBatch(iteration, phase);
      },
      progress: (event) => {
        // The step of this iteration is done, so its batches were taken: at most three more were asked for.
        if (event.event === "step")
          ahead.push(asked.length - ORDER.findLastIndex((e) => e.startsWith(`${event.iteration} `)) - 1);
      },
    });
    const ahead: number[] = [];
    const ORDER = [1, 2, 3, 4, 5, 6, 7].flatMap((i) => (i % 3 ? [`${i} critic`] : [`${i} critic`, `${i} generator`]));
    await train(options);
    expect(asked).toEqual(ORDER);
    expect(Math.max(...ahead)).toBe(3);
  });

  test("are made while a step runs: what waits for a clock hides behind what computes", async () => {
    const waits: number[] = [];
    let under = 0;
    let most = 0;
    await train(
      adversarial(descent(0.01), {
        iterations: 20,
        batchesAhead: 4,
        async batch(iteration, phase) {
          under += 1;
          most = Math.max(most, under);
          await new Promise((resolve) => setTimeout(resolve, 5));
          under -= 1;
          return adversarialBatch(iteration, phase);
        },
        progress: (event) => void (event.event === "step" && waits.push(event.dataWait)),
      }),
    );
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(5);
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(0);
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(1);
  });

  test("that cannot be made end the run with iteration and phase, and leave none under way", async () => {
    let under = 0;
    const run = train(
      adversarial(descent(0.01), {
        engine: "js",
        async batch(iteration, phase) {
          under += 1;
          await new Promise((resolve) => setTimeout(resolve, 1));
          under -= 1;
          if (iteration === 3 && phase === "generator") throw new PipeError("the disk is gone.");
          return adversarialBatch(iteration, phase);
        },
      }),
    );
    await expect(run).rejects.toThrow(
      'toy: the batch of iteration 3 for the phase "generator" failed: the disk is gone.',
    );
    expect(under).toBe(0);
  });
});

describe("numbers that are not finite", () => {
  const poisoned = (iteration: number): FitOptions =>
    adversarial(descent(0.05), {
      engine: "js",
      checkpointEvery: 2,
      async batch(at, phase) {
        const batch = await adversarialBatch(at, phase);
        if (at === iteration && phase === "critic") batch.feeds.real!.data[4] = Number.NaN;
        return batch;
      },
    });

  test("loss, phase, iteration, samples and the last good checkpoint are named; nothing is saved after it", async () => {
    const options = poisoned(7);
    const error = await train(options).catch((error: unknown) => error as PipeError);
    expect(error).toBeInstanceOf(PipeError);
    expect((error as PipeError).message).toBe(
      'toy: the loss "gap" of the phase "critic" became NaN in iteration 7, on the samples 7.0, 7.1, 7.2, 7.3, 7.4, 7.5, 7.6.',
    );
    expect((error as PipeError).hint).toMatch(/000000006\.safetensors, of iteration 6; nothing was saved after it/);
    expect(Object.keys(await outcome(options.folder))).toEqual([
      "checkpoints/000000004.safetensors",
      "checkpoints/000000006.safetensors",
      "log.jsonl",
    ]);
    // Mended, the same call goes on and ends as if nothing had been.
    const mended = { ...poisoned(0), folder: options.folder };
    expect((await train(mended)).resumedFrom).toBe(6);
    const whole = poisoned(0);
    await train(whole);
    expect(await outcome(mended.folder)).toEqual(await outcome(whole.folder));
  });

  test("before the first checkpoint; in a block of several steps", async () => {
    const options = { ...poisoned(2), checkpointEvery: 4, stepsPerRun: 4 };
    const error = await train(options).catch((error: unknown) => error as PipeError);
    expect((error as PipeError).message).toMatch(/iteration 2, on the samples 2\.0/);
    expect((error as PipeError).hint).toMatch(/Nothing was saved yet/);
  });

  test("a gradient that overflows names its part, although its loss is finite", async () => {
    const [critic] = adversarialPhases(descent(0.05)) as [Phase];
    const steep: Phase = {
      ...critic,
      losses: (parts) => ({ slope: tf.mul(tf.sum(parts.critic!.get("w")!), 1e25) as tf.Scalar }),
      weights: { slope: 1 },
    };
    await expect(train(adversarial(descent(1), { engine: "js", phases: [steep] }))).rejects.toThrow(
      /the gradient of "critic" of the phase "critic" became Infinity in iteration 1/,
    );
  });

  test.each(["js", "onnx"] as const)("on %s no tensor is left behind", async (engine) => {
    const before = tf.memory().numTensors;
    await expect(train({ ...poisoned(3), engine })).rejects.toThrow(/"gap".*NaN in iteration 3/);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("an update that overflows is not saved, although every loss was finite", async () => {
    const [critic] = adversarialPhases(descent(3e38)) as [Phase];
    const start = { critic: new Map([["w", { shape: [DIMS.real], data: new Float32Array(DIMS.real).fill(10) }]]) };
    const options = adversarial(descent(1), { engine: "js", phases: [critic], iterations: 1, start });
    await expect(train(options)).rejects.toThrow(/"w" is not finite after iteration 1; it was not saved/);
    expect(Object.keys(await outcome(options.folder))).toEqual(["log.jsonl"]);
  });
});

describe("validation", () => {
  /** Metric by iteration; training is stopped by patience after the best. */
  const scores: Record<number, number> = { 4: 0.5, 8: 0.9, 12: 0.7, 16: 0.9, 20: 0.95 };
  const validating = (more: Partial<FitOptions["validation"]> = {}, also: Partial<FitOptions> = {}) =>
    adversarial(descent(0.01), {
      engine: "js",
      iterations: 24,
      checkpointEvery: 100,
      keep: 1,
      validation: {
        every: 4,
        metric: "score",
        better: "higher",
        measure: async ({ iteration }) => ({ score: scores[iteration] ?? 0, other: iteration }),
        ...more,
      },
      ...also,
    });

  test("patience ends the run; the best checkpoint stays beside the last", async () => {
    const options = validating({ patience: 2 });
    const result = await train(options);
    expect(result).toMatchObject({
      iteration: 16,
      stopped: "patience",
      best: { iteration: 8, metrics: { score: 0.9, other: 8 } },
    });
    expect(result.best!.path).toMatch(/000000008\.safetensors$/);
    expect(result.last).toMatch(/000000016\.safetensors$/);
    expect(Object.keys(await outcome(options.folder))).toEqual([
      "checkpoints/000000008.safetensors",
      "checkpoints/000000016.safetensors",
      "log.jsonl",
    ]);
    const lines = (await logOf(options.folder)).filter((line) => "validation" in line);
    expect(lines.map(({ iteration, better }) => [iteration, better])).toEqual([
      [4, true],
      [8, true],
      [12, false],
      [16, false],
    ]);
    // A finished run is only told again.
    const again = await train(options);
    expect(again).toEqual({ ...result, resumedFrom: 16 });
  });

  test("lower may be better, and a gain may have to be large enough", async () => {
    expect((await train(validating({ better: "lower" }))).best).toMatchObject({ iteration: 24, metrics: { score: 0 } });
    expect((await train(validating({ minDelta: 0.1 }))).best).toMatchObject({ iteration: 8 });
    expect((await train(validating({ minDelta: 0.01 }))).best).toMatchObject({ iteration: 20 });
  });

  test("sees the live weights, by copy and by program, and they are those of the checkpoint", async () => {
    const seen: number[] = [];
    const options = validating(
      {
        async measure(model) {
          const weights = await model.weights();
          const { size } = await model.run("size", { factor: { data: Float32Array.of(3), shape: [] } });
          const squares = weights.critic!.get("w")!.data.reduce((sum, w) => sum + w * w, 0);
          expect(size!.data[0]).toBeCloseTo(3 * squares, 5);
          seen.push(squares);
          return { score: squares };
        },
        patience: 50,
      },
      {
        programs: {
          size: ({ critic }, { factor }) => ({ size: tf.mul(factor!, tf.sum(tf.square(critic!.get("w")!))) }),
        },
      },
    );
    const { weights } = await train(options);
    expect(seen.length).toBe(6);
    expect(seen.at(-1)).toBe(weights.critic!.get("w")!.data.reduce((sum, w) => sum + w * w, 0));
  });

  test("a metric that is missing or NaN is named with what was given", async () => {
    await expect(train(validating({ metric: "ccc" }))).rejects.toThrow(
      "toy: the validation of iteration 4 gave ccc = undefined.",
    );
    await expect(train(validating({ measure: async () => ({ score: Number.NaN }) }))).rejects.toThrow("score = NaN");
  });
});

describe("options that cannot be", () => {
  const [critic, generator] = adversarialPhases(descent(0.1)) as [Phase, Phase];
  test.each<[string, Partial<FitOptions>, RegExp]>([
    ["no phases", { phases: [] }, /no phases/],
    ["no iterations", { iterations: 0 }, /iterations must be a whole number of at least 1, not 0/],
    ["half a step", { stepsPerRun: 0.5 }, /stepsPerRun must be/],
    ["a phase twice", { phases: [critic, critic] }, /two phases are named "critic"/],
    ["an unknown part", { phases: [{ ...critic, trains: ["judge"] }] }, /trains "judge", which is no part/],
    ["a part twice", { phases: [{ ...critic, trains: ["critic", "critic"] }] }, /names a part twice/],
    ["nothing to train", { phases: [{ ...critic, trains: [] }] }, /trains no part/],
    ["every never", { phases: [{ ...critic, every: 0 }] }, /every of the phase "critic" must be/],
    ["a weight that is NaN", { phases: [{ ...critic, weights: { gap: Number.NaN, ridge: 1 } }] }, /"gap".*is NaN/],
    [
      "a loss without a weight",
      { phases: [{ ...critic, weights: { gap: 1 } }] },
      /gives the losses gap, ridge, but has weights for gap\./,
    ],
    [
      "a weight without a loss",
      { phases: [{ ...generator, every: 1, weights: { ...generator.weights, x: 1 } }] },
      /but has weights for adversarial, fit, size, x/,
    ],
    [
      "one name in two parts",
      { parts: { ...adversarialParts, twin: adversarialParts.critic! } },
      /"critic" and "twin" both have a parameter "w"/,
    ],
    ["a start for nobody", { start: { judge: new Map() } }, /start has weights for "judge"/],
    ["a start that does not fit", { start: { critic: new Map() } }, /The start of critic does not fit the network/],
  ])("%s", async (_, more, words) => {
    const run = train(adversarial(descent(0.1), { engine: "js", ...more }));
    await expect(run).rejects.toThrow(words);
    await expect(run).rejects.toBeInstanceOf(PipeError);
  });
});

describe("nothing grows", () => {
  test.each(["onnx", "js"] as const)(
    "%s: tensors are as many after hundreds of steps as after a few",
    async (engine) => {
      const before = tf.memory().numTensors;
      const counts: number[] = [];
      const events: FitEvent[] = [];
      await train(
        adversarial(adam({ learningRate: 0.001 }), {
          engine,
          iterations: 300,
          checkpointEvery: 90,
          progress(event) {
            events.push(event);
            if (event.event === "step" && event.iteration % 30 === 0) counts.push(tf.memory().numTensors);
          },
        }),
      );
      expect(new Set(counts).size).toBe(1);
      expect(tf.memory().numTensors).toBe(before);
      expect(events.filter(({ event }) => event === "warning")).toEqual([]);
      expect(events.at(0)).toMatchObject({ event: "begin", iterations: 300, resumedFrom: null });
      expect(events.at(-1)).toMatchObject({ event: "end", iteration: 300, stopped: "iterations" });
      const step = events.findLast((event) => event.event === "step")!;
      expect(step).toMatchObject({ iteration: 300, secondsLeft: 0 });
    },
  );

  test("a batch function that keeps tensors is warned of", async () => {
    const kept: tf.Tensor[] = [];
    const warnings: string[] = [];
    await train(
      adversarial(descent(0.01), {
        engine: "js",
        iterations: 40,
        logEvery: 2,
        batch(iteration, phase) {
          kept.push(tf.scalar(iteration));
          return adversarialBatch(iteration, phase);
        },
        progress: (event) => void (event.event === "warning" && warnings.push(event.message)),
      }),
    );
    tf.dispose(kept);
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings[0]).toMatch(/number of tensors rises/);
  });
});

/** The toy again, in loops over plain numbers, with gradients written by hand. */
async function slowly(iterations: number, rate: number) {
  const { batch, real, noise, said } = DIMS;
  const start = (part: string, name: string) => [...initialise(adversarialParts[part]!, 5).get(name)!.data];
  const rows = (flat: readonly number[], n: number) =>
    Array.from({ length: flat.length / n }, (_, i) => flat.slice(i * n, i * n + n));
  const w = start("critic", "w");
  const g = rows(start("generator", "g"), noise);
  const c = rows(start("combiner", "c"), real);
  const bias = start("combiner", "bias");
  const losses: { iteration: number; key: string; value: number }[] = [];
  const fake = (z: number[][]) =>
    z.map((row) => g.map((weights) => weights.reduce((sum, x, j) => sum + x * row[j]!, 0)));
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const note = (key: string, value: number) => losses.push({ iteration, key, value });
    {
      const { feeds } = await adversarialBatch(iteration, "critic");
      const truth = rows([...feeds.real!.data], real);
      const made = fake(rows([...feeds.z!.data], noise));
      const mean = (points: number[][], j: number) => points.reduce((sum, row) => sum + row[j]!, 0) / batch;
      const difference = w.map((_, j) => mean(made, j) - mean(truth, j));
      const gap = w.reduce((sum, x, j) => sum + x * difference[j]!, 0);
      const ridge = w.reduce((sum, x) => sum + x * x, 0);
      note("critic/gap", gap);
      note("critic/ridge", ridge);
      note("critic/total", gap + 0.5 * ridge);
      for (let j = 0; j < real; j++) w[j]! -= rate * (difference[j]! + w[j]!);
    }
    if (iteration % 3 === 0) {
      const { feeds } = await adversarialBatch(iteration, "generator");
      const z = rows([...feeds.z!.data], noise);
      const y = rows([...feeds.y!.data], said);
      const made = fake(z);
      const error = made.map((row, b) =>
        c.map((weights, k) => weights.reduce((sum, x, j) => sum + x * row[j]!, bias[k]!) - y[b]![k]!),
      );
      const adversarial = -made.reduce((sum, row) => sum + row.reduce((s, x, j) => s + x * w[j]!, 0), 0) / batch;
      const square = error.flat().reduce((sum, e) => sum + e * e, 0) / (batch * said);
      note("generator/adversarial", adversarial);
      note("generator/fit", square);
      note(
        "generator/size",
        g.flat().reduce((sum, x) => sum + x * x, 0),
      );
      note("generator/total", 0.7 * adversarial + 2 * square);
      const out = error.map((row) => row.map((e) => (2 * 2 * e) / (batch * said)));
      const back = made.map((_, b) =>
        w.map((x, j) => (-0.7 * x) / batch + c.reduce((sum, weights, k) => sum + weights[j]! * out[b]![k]!, 0)),
      );
      for (let k = 0; k < said; k++) {
        for (let j = 0; j < real; j++) c[k]![j]! -= rate * out.reduce((sum, row, b) => sum + row[k]! * made[b]![j]!, 0);
        bias[k]! -= rate * out.reduce((sum, row) => sum + row[k]!, 0);
      }
      for (let j = 0; j < real; j++)
        for (let i = 0; i < noise; i++) g[j]![i]! -= rate * back.reduce((sum, row, b) => sum + row[j]! * z[b]![i]!, 0);
    }
  }
  return { critic: w, generator: g, combiner: { c, bias }, losses };
}

/** (XᵀX)⁻¹ Xᵀy by Gauss–Jordan elimination. */
function leastSquares(x: Float32Array, y: Float32Array, n: number): number[] {
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n + 1 }, (_, j) =>
      y.reduce((sum, target, r) => sum + x[r * n + i]! * (j < n ? x[r * n + j]! : target), 0),
    ),
  );
  for (let p = 0; p < n; p++) {
    rows[p] = rows[p]!.map((v) => v / rows[p]![p]!);
    for (let i = 0; i < n; i++) if (i !== p) rows[i] = rows[i]!.map((v, j) => v - rows[i]![p]! * rows[p]![j]!);
  }
  return rows.map((row) => row[n]!);
}
