import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { compileSteps, type Value } from "../../src/compile/index.ts";
import { adam, adamW, byRule, type Optimiser, rmsprop } from "../../src/nn/optimisers.ts";
import { constant, cosine, exponential, type Schedule, stepped } from "../../src/nn/schedules.ts";

const oracle = JSON.parse(readFileSync(new URL("./optimisers.json", import.meta.url), "utf8")) as {
  start: number[];
  gradients: number[][];
  parameters: Record<string, number[][]>;
};
const optimisers: Record<string, Optimiser> = {
  adam: adam({ learningRate: 0.05 }),
  "adam anclaf": adam({ learningRate: 1e-4, betas: [0.5, 0.999] }),
  "adam decay": adam({ learningRate: 0.05, weightDecay: 0.3, epsilon: 1e-3 }),
  "adam clipped": adam({ learningRate: 0.05, clipNorm: 2 }),
  adamW: adamW({ learningRate: 0.05, weightDecay: 0.3, betas: [0.8, 0.99] }),
  rmsprop: rmsprop({ learningRate: 0.05 }),
  "rmsprop decay": rmsprop({ learningRate: 0.05, decay: 0.9, epsilon: 1e-3, weightDecay: 0.3 }),
  stepped: adam({ learningRate: stepped(0.05, 2, 0.3) }),
  exponential: adam({ learningRate: exponential(0.05, 0.7) }),
};

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe.each(["js", "onnx"] as const)("%s", (engine) => {
  test.each(Object.entries(optimisers))("%s follows PyTorch's", async (name, optimiser) => {
    const { start, gradients, parameters } = oracle;
    const vector = (data: number[]): Value => ({ data: Float32Array.from(data), shape: [data.length] });
    await using steps = compileSteps(
      {
        update: ({ gradient }, { parameters, ...own }) => {
          const next = optimiser.update(parameters as tf.Tensor1D, gradient as tf.Tensor1D, own);
          return { outputs: {}, state: { parameters: next.parameters, ...next.state } };
        },
      },
      { name, engine, threads: 1, state: { parameters: vector(start), ...optimiser.start(start.length) } },
    );
    for (const [i, gradient] of gradients.entries()) {
      await steps.run("update", { gradient: vector(gradient) });
      const found = (await steps.read(["parameters"])).parameters!.data;
      // What moved is compared, not where to: a rate of 1e-4 would not show in the sum.
      const moved = Array.from(found, (value, j) => value - start[j]!);
      const wanted = parameters[name]![i]!.map((value, j) => value - start[j]!);
      moved.forEach((value, j) => {
        expect(Math.abs(value - wanted[j]!), `update ${i}, parameter ${j}`).toBeLessThan(
          1e-4 * Math.abs(wanted[j]!) + 5e-7,
        );
      });
    }
  });
});

test.each(Object.entries(optimisers))("%s in place: the bits of the same in tensors", async (name, optimiser) => {
  const { start, gradients } = oracle;
  const vector = (data: number[]): Value => ({ data: Float32Array.from(data), shape: [data.length] });
  await using steps = compileSteps(
    {
      tensors: ({ gradient }, { parameters, ...own }) => {
        const next = optimiser.update(parameters as tf.Tensor1D, gradient as tf.Tensor1D, own);
        return { outputs: {}, state: { parameters: next.parameters, ...next.state } };
      },
      inPlace: ({ gradient }, before) => {
        const entries = Object.fromEntries(Object.keys(before).map((entry) => [entry, entry]));
        const { update, state } = byRule(optimiser.rule!, gradient as tf.Tensor1D, before, entries);
        return { outputs: {}, state, updates: [{ ...update, norm: "norm" }] };
      },
    },
    { name, engine: "onnx", threads: 1, state: { parameters: vector(start), ...optimiser.start(start.length) } },
  );
  const after = async (program: "tensors" | "inPlace") => {
    await steps.write({ parameters: vector(start), ...optimiser.start(start.length) });
    const states: Record<string, Value>[] = [];
    for (const gradient of gradients) {
      const { norm } = await steps.run(program, { gradient: vector(gradient) });
      if (norm) expect(norm.data[0]).toBeCloseTo(Math.hypot(...gradient), 4);
      states.push(await steps.read());
    }
    return states;
  };
  const [inPlace, inTensors] = [await after("inPlace"), await after("tensors")];
  if (!name.includes("clipped")) expect(inPlace).toEqual(inTensors);
  // The norm is summed in another order.
  else
    for (const [i, { parameters }] of inTensors.entries())
      for (const [j, value] of parameters!.data.entries())
        expect(Math.abs(inPlace[i]!.parameters!.data[j]! - value)).toBeLessThan(1e-6);
});

test("every oracle has its optimiser", () => {
  expect(Object.keys(optimisers).sort()).toEqual(Object.keys(oracle.parameters).sort());
});

const schedules: Record<string, Schedule> = {
  constant: constant(0.1),
  stepped: stepped(0.1, 7, 0.5),
  exponential: exponential(0.1, 0.97),
  cosine: cosine(0.1, { length: 30, least: 0.01 }),
  "cosine with warm-up": cosine(0.1, { warmUp: 5, length: 20 }),
};
test.each(Object.entries(schedules))("%s: the same in a program", (_, schedule) => {
  const rates = withBackend("cpu", () =>
    Array.from({ length: 41 }, (_, i) => tf.tidy(() => schedule.traced(tf.scalar(i, "int32")).dataSync()[0]!)),
  );
  rates.forEach((rate, i) => {
    expect(Math.abs(rate - schedule.at(i)), `after ${i} updates`).toBeLessThan(1e-6);
  });
});

test("a cosine rises, peaks, falls and stays", () => {
  const { at } = cosine(1, { warmUp: 4, length: 10, least: 0.2 });
  expect([at(0), at(3), at(4), at(14), at(99)]).toEqual([0.25, 1, 1, 0.2, 0.2]);
  expect(at(9)).toBeCloseTo(0.6, 10);
});

test("names tell optimisers apart", () => {
  const names = Object.values(optimisers).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(adam({ learningRate: cosine(1e-3, { length: 10 }) }).name).toContain("cosine(0.001 to 0, 0 + 10)");
});

test("one parameter, and none", async () => {
  for (const size of [1, 0])
    withBackend("cpu", () =>
      tf.tidy(() => {
        const optimiser = adam({ learningRate: 0.1, clipNorm: 1 });
        const state = Object.fromEntries(
          Object.entries(optimiser.start(size)).map(([key, { data, shape }]) => [
            key,
            tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32"),
          ]),
        );
        const next = optimiser.update(tf.ones([size]), tf.ones([size]), state);
        expect(next.parameters.shape).toEqual([size]);
      }),
    );
});
