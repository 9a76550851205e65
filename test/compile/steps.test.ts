import { getActiveResourcesInfo } from "node:process";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileSteps, type StepProgram, type Value } from "../../src/compile/index.ts";
import { PipeError } from "../../src/errors.ts";
import { differentiate, flatten } from "../../src/nn/flat.ts";
import { initialise } from "../../src/nn/init.ts";
import { adam } from "../../src/nn/optimisers.ts";
import type { ParameterSpec } from "../../src/nn/weights.ts";

const specs: ParameterSpec[] = [
  { name: "a", shape: [3, 5], start: { uniform: { fanIn: 3 } } },
  { name: "b", shape: [5], start: "zeros" },
  { name: "c", shape: [5, 2], start: { uniform: { fanIn: 5 } } },
  { name: "idle", shape: [2], start: "ones" },
];
const optimiser = adam({ learningRate: 0.1, clipNorm: 1, weightDecay: 0.01 });

/** A perceptron that is fitted to the sum of its inputs. */
const train: StepProgram = ({ x, y }, { parameters, ...own }) => {
  const { values, gradient } = differentiate(parameters as tf.Tensor1D, specs, (p) => {
    const hidden = tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, p.get("a") as tf.Tensor2D), p.get("b")!));
    const error = tf.sub(tf.matMul(hidden as tf.Tensor2D, p.get("c") as tf.Tensor2D), y!);
    return { total: tf.mean(tf.square(error)) as tf.Scalar, worst: tf.max(tf.abs(error)) };
  });
  const next = optimiser.update(parameters as tf.Tensor1D, gradient, own);
  return { outputs: values, state: { parameters: next.parameters, ...next.state } };
};
const predict: StepProgram = ({ x }, { parameters }) => ({
  outputs: { y: tf.mul(x!, tf.sum(parameters!)) },
  state: {},
});
const start = (): Record<string, Value> => {
  const parameters = flatten(initialise(specs, 5), specs);
  return { parameters: { data: parameters, shape: [parameters.length] }, ...optimiser.start(parameters.length) };
};
const feed = (seed: number): Record<string, Value> => {
  const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * 1.7 + seed));
  const y = Float32Array.from({ length: 8 }, (_, i) => x[i + 2]! * (i % 2 ? 1 : -1));
  return { x: { data: x, shape: [4, 3] }, y: { data: y, shape: [4, 2] } };
};
const open = (engine: "onnx" | "js", programs = { train, predict }) =>
  compileSteps(programs, { name: "toy", engine, threads: 1, state: start() });
const bytes = (values: Record<string, Value>) =>
  Object.fromEntries(
    Object.entries(values).map(([key, { data, shape }]) => [
      key,
      [shape, Buffer.from(data.slice().buffer).toString("hex")],
    ]),
  );

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

const engines = ["onnx", "js"] as const;

test("three steps give the same parameters on both engines", async () => {
  await using onnx = open("onnx");
  await using js = open("js");
  for (let i = 0; i < 3; i++) {
    const [a, b] = [await onnx.run("train", feed(i)), await js.run("train", feed(i))];
    expect(Object.keys(a).sort()).toEqual(["total", "worst"]);
    expect(a.total!.data[0]).toBeCloseTo(b.total!.data[0]!, 5);
  }
  const [a, b] = [await onnx.read(), await js.read()];
  for (const [entry, { data, shape }] of Object.entries(b)) {
    expect(a[entry]!.shape).toEqual(shape);
    for (const [i, value] of data.entries())
      expect(Math.abs(a[entry]!.data[i]! - value)).toBeLessThanOrEqual(1e-4 * Math.abs(value) + 1e-7);
  }
  expect(a.updates!.data).toEqual(Int32Array.of(3));
});

describe.each(engines)("%s", (engine) => {
  test("a loss falls, and a second program sees the parameters of the first", async () => {
    await using steps = open(engine);
    const losses: number[] = [];
    for (let i = 0; i < 20; i++) losses.push((await steps.run("train", feed(0))).total!.data[0]!);
    expect(losses[19]!).toBeLessThan(losses[0]! / 3);
    const { parameters } = await steps.read(["parameters"]);
    const { y } = await steps.run("predict", { x: { data: Float32Array.of(1), shape: [1] } });
    expect(y!.data[0]).toBeCloseTo(
      Array.from(parameters!.data).reduce((a, b) => a + b, 0),
      4,
    );
  });

  test("several steps at once are the steps one by one", async () => {
    await using together = open(engine);
    await using single = open(engine);
    const feeds = [0, 1, 2].map(feed);
    const stacked = Object.fromEntries(
      ["x", "y"].map((key) => {
        const parts = feeds.map((one) => one[key]!);
        const data = Float32Array.from(parts.flatMap((part) => [...part.data]));
        return [key, { data, shape: [3, ...parts[0]!.shape] }];
      }),
    );
    const outputs = await together.run("train", stacked, { steps: 3 });
    for (const [i, one] of feeds.entries()) {
      const output = await single.run("train", one);
      expect(outputs.total!.shape).toEqual([3]);
      expect(outputs.total!.data[i]).toBeCloseTo(output.total!.data[0]!, 5);
    }
    const [a, b] = [await together.read(), await single.read()];
    a.parameters!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(b.parameters!.data[i]!, 5);
    });
    expect(a.updates).toEqual(b.updates);
    await expect(together.run("train", feed(0), { steps: 3 })).rejects.toThrow(
      /"x" has the shape \[4, 3\].*leading axis of 3/,
    );
    await expect(together.run("train", feed(0), { steps: 0 })).rejects.toThrow(/steps must be/);
    const one = { x: { ...feed(5).x!, shape: [1, 4, 3] }, y: { ...feed(5).y!, shape: [1, 4, 2] } };
    expect((await together.run("train", one, { steps: 1 })).worst!.shape).toEqual([1]);
  });

  test("read and write carry a state over bit for bit: resumed is uninterrupted", async () => {
    await using whole = open(engine);
    for (let i = 0; i < 6; i++) await whole.run("train", feed(i));
    await using before = open(engine);
    for (let i = 0; i < 3; i++) await before.run("train", feed(i));
    const kept = await before.read();
    await using after = open(engine);
    await after.run("train", feed(9));
    await after.write(kept);
    expect(bytes(await after.read())).toEqual(bytes(kept));
    for (const { data } of Object.values(kept)) data.fill(7);
    for (let i = 3; i < 6; i++) await after.run("train", feed(i));
    expect(bytes(await after.read())).toEqual(bytes(await whole.read()));
  });

  test("odd bits come back as they were", async () => {
    const data = new Float32Array(Uint32Array.of(0x7fc00001, 0x80000000, 0x00000001, 0xff800000).buffer);
    await using steps = compileSteps(
      { idle: () => ({ outputs: { one: tf.scalar(1) }, state: {} }) },
      { name: "odd", engine, state: { data: { data, shape: [4] }, none: { data: new Float32Array(0), shape: [0] } } },
    );
    await steps.run("idle", {});
    expect(bytes(await steps.read())).toEqual(
      bytes({ data: { data, shape: [4] }, none: { data: new Float32Array(0), shape: [0] } }),
    );
  });

  test("calls take effect in their order, and feeds, states and answers may be reused at once", async () => {
    const initial = { sum: { data: Float32Array.of(1), shape: [1] } };
    await using steps = compileSteps(
      {
        double: (_, { sum }) => ({ outputs: {}, state: { sum: tf.mul(sum!, 2) } }),
        add: ({ x }, { sum }) => ({ outputs: { before: sum! }, state: { sum: tf.add(sum!, x!) } }),
      },
      { name: "order", engine, state: initial },
    );
    initial.sum.data[0] = 100;
    const x = { data: Float32Array.of(3), shape: [1] };
    const first = steps.run("add", { x });
    x.data[0] = 1000;
    const doubled = steps.run("double", {});
    const middle = steps.read();
    const value = { data: Float32Array.of(20), shape: [1] };
    const written = steps.write({ sum: value });
    value.data[0] = 1000;
    x.data[0] = 5;
    const last = steps.run("add", { x });
    x.data[0] = 1000;
    const end = steps.read();
    expect((await first).before!.data[0]).toBe(1);
    expect((await middle).sum!.data[0]).toBe(8);
    expect((await last).before!.data[0]).toBe(20);
    expect((await end).sum!.data[0]).toBe(25);
    await Promise.all([doubled, written]);
    // An answer is not a window into the state.
    const answer = await steps.read();
    answer.sum!.data.fill(-1);
    expect((await steps.read()).sum!.data[0]).toBe(25);
  });

  test("what does not fit is refused by name, and the state stays as it was", async () => {
    await using steps = compileSteps(
      {
        shrink: (_, { w }) => ({ outputs: {}, state: { w: tf.slice(w!, [0], [1]) } }),
        turn: (_, { w }) => ({ outputs: {}, state: { w: tf.cast(w!, "int32") } }),
        invent: (_, { w }) => ({ outputs: {}, state: { v: w! } }),
        rotate: ({ x }) => ({ outputs: { y: tf.image.transform(x as tf.Tensor4D, tf.zeros([1, 8])) }, state: {} }),
        sort: ({ x }) => ({ outputs: { y: tf.grad((t) => tf.topk(t, 1).values)(x!) }, state: {} }),
        half: ({ x }, { w }) => ({ outputs: {}, state: { w: tf.add(w!, x!) } }),
      },
      { name: "toy", engine, state: { w: { data: Float32Array.of(1, 2), shape: [2] } } },
    );
    const x = (...shape: number[]) => ({ x: { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape } });
    const refused = async (run: Promise<unknown>, message: RegExp) => {
      await expect(run).rejects.toThrow(PipeError);
      await expect(run).rejects.toThrow(message);
    };
    await refused(steps.run("shrink", {}), /toy\/shrink gives the state "w" as float32\[1\], but it was float32\[2\]/);
    await refused(steps.run("turn", {}), /toy\/turn gives the state "w" as int32\[2\]/);
    await refused(steps.run("invent", {}), /toy\/invent gives a state "v" that there is not/);
    await refused(steps.run("half", x(3)), /toy\/half/);
    await refused(steps.run("none" as never, {}), /toy has no program "none"/);
    await refused(steps.run("half", { x: { data: new Float32Array(2), shape: [3] } }), /feed "x" has 2 values/);
    await refused(steps.read(["v"]), /toy has no state "v"/);
    await refused(steps.write({ v: { data: new Float32Array(1), shape: [1] } }), /toy has no state "v"/);
    await refused(
      steps.write({ w: { data: new Float32Array(1), shape: [1] } }),
      /"w" is float32\[2\]; float32\[1\] was given/,
    );
    await refused(
      steps.write({ w: { data: new Int32Array(2), shape: [2] } }),
      /"w" is float32\[2\]; int32\[2\] was given/,
    );
    await refused(steps.run("sort", x(3)), /toy\/sort needs the gradient of the TensorFlow.js kernel TopK/);
    if (engine === "onnx")
      await refused(steps.run("rotate", x(1, 2, 2, 1)), /toy\/rotate uses the TensorFlow.js kernel Transform/);
    expect((await steps.read()).w!.data).toEqual(Float32Array.of(1, 2));
    await steps.run("half", x(2));
  });

  test("memory stays flat, and nothing is left after dispose", async () => {
    const ports = () => getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
    const before = ports();
    const steps = open(engine);
    await steps.run("train", feed(0));
    const numbers = tf.memory().numTensors;
    for (let i = 0; i < 30; i++) await steps.run("train", feed(i));
    expect(tf.memory().numTensors).toBe(numbers);
    const last = steps.run("train", feed(0));
    await Promise.all([steps.dispose(), steps.dispose(), last]);
    await expect(steps.run("train", feed(0))).rejects.toThrow(/toy was used after it was disposed/);
    await expect(steps.read()).rejects.toThrow(/toy was used after it was disposed/);
    expect(ports()).toBe(before);
  });
});

test.each(engines)(
  "%s: one tensor may be two outputs and two entries of the state, an input or a constant too",
  async (engine) => {
    const value = (...data: number[]): Value => ({ data: Float32Array.from(data), shape: [data.length] });
    await using steps = compileSteps(
      {
        share: ({ x }, { v }) => {
          const sum = tf.add(x!, v!);
          return { outputs: { a: sum, b: sum, x: x!, one: tf.ones([2]) }, state: { v: sum, w: sum, u: v! } };
        },
      },
      { name: "toy", engine, threads: 1, state: { u: value(0, 0), v: value(1, 2), w: value(0, 0) } },
    );
    const outputs = await steps.run("share", { x: value(10, 20) });
    expect(outputs).toEqual({ a: value(11, 22), b: value(11, 22), x: value(10, 20), one: value(1, 1) });
    expect(await steps.read()).toEqual({ u: value(1, 2), v: value(11, 22), w: value(11, 22) });
  },
);

test("a run that fails in ONNX Runtime changes nothing", async () => {
  await using steps = compileSteps(
    { pick: ({ at }, { w }) => ({ outputs: {}, state: { w: tf.gather(w!, at as tf.Tensor1D) } }) },
    { name: "toy", engine: "onnx", state: { w: { data: Float32Array.of(1, 2), shape: [2] } } },
  );
  const at = (...data: number[]) => ({ at: { data: Int32Array.from(data), shape: [2] } });
  await expect(steps.run("pick", at(0, 9))).rejects.toThrow(/toy failed in ONNX Runtime/);
  expect((await steps.read()).w!.data).toEqual(Float32Array.of(1, 2));
  await steps.run("pick", at(1, 0));
  expect((await steps.read()).w!.data).toEqual(Float32Array.of(2, 1));
});

test("programs never run start no thread; a state of bytes is refused", async () => {
  const threads = () => getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
  const before = threads();
  const steps = open("onnx");
  expect(threads()).toBe(before);
  await steps.dispose();
  const state = { b: { data: new Uint8Array(1), shape: [1] } };
  expect(() => compileSteps({}, { name: "toy", engine: "onnx", state })).toThrow(/state "b" holds bytes/);
});
