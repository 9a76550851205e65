import { rmSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, test } from "vitest";
import { batchNorm, batchNormParameters, batchNormStatistics, trainingBatchNorm } from "../../src/nn/batch-norm.ts";
import { type FitOptions, fit as train } from "../../src/nn/fit.ts";
import { adam } from "../../src/nn/optimisers.ts";
import { type Parameters, scope } from "../../src/nn/parameters.ts";
import { seeded } from "../../src/random.ts";
import { outcome, root, scratch, values } from "./fit-toys.ts";
import { nearly } from "./sequences.ts";

afterAll(() => rmSync(root, { recursive: true, force: true }));

const [batch, channels] = [5, 3];
const MOMENTUM = 0.25;

/** A regression whose features a batch norm normalises first; its statistics are a part of their own. */
const regression = (more: Partial<FitOptions> = {}): FitOptions => ({
  name: "regression",
  parts: {
    network: [
      ...batchNormParameters("bn", channels),
      { name: "head", shape: [channels, 1], start: { uniform: { fanIn: channels } } },
    ],
    statistics: batchNormStatistics("bn", channels),
  },
  phases: [
    {
      name: "fit",
      trains: ["network"],
      // Decay would move statistics that an optimiser got hold of.
      optimiser: adam({ learningRate: 0.01, weightDecay: 0.1 }),
      losses: ({ network }, { x, y }, remember) => {
        const own = scope(network!, "bn");
        const normal = trainingBatchNorm(x as tf.Tensor2D, own("weight"), own("bias"), {
          momentum: MOMENTUM,
          remember: (name, update) => remember?.(`bn.${name}`, update),
        });
        return {
          error: tf.mean<tf.Scalar>(tf.squaredDifference(tf.matMul(normal, network!.get("head") as tf.Tensor2D), y!)),
        };
      },
      weights: { error: 1 },
    },
  ],
  programs: {
    normalise: ({ network, statistics }, { x }) => {
      const [own, running] = [scope(network!, "bn"), scope(statistics!, "bn")];
      const moments = { mean: running<tf.Tensor1D>("running_mean"), variance: running<tf.Tensor1D>("running_var") };
      return { y: batchNorm(x!, own("weight"), own("bias"), moments) };
    },
  },
  batch: async (iteration) => ({ feeds: batchOf(iteration) }),
  iterations: 12,
  seed: 5,
  folder: scratch(),
  threads: 1,
  checkpointEvery: 4,
  ...more,
});

const batchOf = (iteration: number) => {
  const random = seeded(`regression ${iteration}`);
  return { x: values([batch, channels], random), y: values([batch, 1], random) };
};

/** The statistics after so many iterations, in plain numbers. */
function slowly(iterations: number): { mean: number[]; variance: number[] } {
  const mean = new Array<number>(channels).fill(0);
  const variance = new Array<number>(channels).fill(1);
  for (let iteration = 1; iteration <= iterations; iteration++)
    for (let c = 0; c < channels; c++) {
      const column = Array.from({ length: batch }, (_, i) => batchOf(iteration).x.data[i * channels + c]!);
      const m = column.reduce((a, b) => a + b, 0) / batch;
      const v = column.reduce((sum, x) => sum + (x - m) ** 2, 0) / (batch - 1);
      mean[c] = (1 - MOMENTUM) * mean[c]! + MOMENTUM * m;
      variance[c] = (1 - MOMENTUM) * variance[c]! + MOMENTUM * v;
    }
  return { mean, variance };
}

describe("running statistics in fit", () => {
  test.each([
    ["js", 1],
    ["onnx", 3],
  ] as const)("follow the batches as a slow loop says, engine %s, %i steps a run", async (engine, stepsPerRun) => {
    let seen: Float32Array | undefined;
    const options = regression({
      engine,
      stepsPerRun,
      validation: {
        every: 12,
        metric: "zero",
        better: "lower",
        async measure(model) {
          seen = (await model.run("normalise", { x: batchOf(99).x })).y!.data as Float32Array;
          return { zero: 0 };
        },
      },
    });
    const { weights } = await train(options);
    const { mean, variance } = slowly(12);
    const stored = weights.statistics!;
    nearly(stored.get("bn.running_mean")!, { shape: [channels], values: mean }, 1e-5);
    nearly(stored.get("bn.running_var")!, { shape: [channels], values: variance }, 1e-5);
    // A program sees them, and the trained scale and shift.
    const [scale, shift] = ["bn.weight", "bn.bias"].map((name) => weights.network!.get(name)!.data);
    const expected = Array.from(batchOf(99).x.data, (x, i) => {
      const c = i % channels;
      return ((x - mean[c]!) / Math.sqrt(variance[c]! + 1e-5)) * scale![c]! + shift![c]!;
    });
    nearly({ shape: [batch, channels], data: seen! }, { shape: [batch, channels], values: expected }, 1e-4);
  });

  test("a run that is gone on with ends with the bytes of one that was never stopped", async () => {
    const whole = regression({ engine: "js" });
    await train(whole);
    const parts = regression({ engine: "js" });
    for (const iterations of [4, 8, 12]) await train({ ...parts, iterations });
    expect(await outcome(parts.folder)).toEqual(await outcome(whole.folder));
  });

  test("a layer that is used twice in an iteration is updated twice, one after the other", async () => {
    const options = regression({ engine: "js", iterations: 1 });
    const [phase] = options.phases;
    const add = (by: number) => (before: tf.Tensor) => tf.add(tf.mul(before, 2), by);
    const { weights } = await train({
      ...options,
      phases: [
        {
          ...phase!,
          losses(parts, inputs, remember) {
            for (const by of [1, 3]) remember!("bn.running_var", add(by));
            return phase!.losses(parts, inputs);
          },
        },
      ],
    });
    expect([...weights.statistics!.get("bn.running_var")!.data]).toEqual([9, 9, 9]);
    expect([...weights.statistics!.get("bn.running_mean")!.data]).toEqual([0, 0, 0]);
  });

  test.each([
    ["bn.weight", (before: tf.Tensor) => before, 'remembers "bn.weight", which no part has that it does not train'],
    ["bn.typo", (before: tf.Tensor) => before, 'remembers "bn.typo", which no part has'],
    ["bn.running_var", () => tf.ones([2]), 'remembers "bn.running_var" as [2], but it is [3]'],
  ])("what cannot be remembered is refused: %s", async (name, update, message) => {
    const options = regression({ engine: "js" });
    const [phase] = options.phases;
    const losses = (parts: Record<string, Parameters>, inputs: Record<string, tf.Tensor>, remember: unknown) => {
      (remember as (name: string, update: (before: tf.Tensor) => tf.Tensor) => void)(name, update);
      return phase!.losses(parts, inputs);
    };
    await expect(train({ ...options, phases: [{ ...phase!, losses }] as FitOptions["phases"] })).rejects.toThrow(
      message,
    );
  });
});
