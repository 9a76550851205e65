import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileSteps, type Formula, type StepProgram, type Update, type Value } from "../../src/compile/index.ts";
import { differentiate, parametersOf } from "../../src/nn/flat.ts";
import type { ParameterSpec } from "../../src/nn/weights.ts";

/** Descent with a momentum, by the gradient scaled to length 1. */
const formula: Formula = (math, { w, speed, gradient, norm, rate }) => {
  const faster = math.add(math.multiply(speed!, math.number(0.5)), math.divide(gradient!, norm!));
  return { w: math.subtract(w!, math.multiply(faster, rate!)), speed: faster };
};
const update = (gradient: tf.Tensor, of: string, more: Partial<Update> = {}): Update => ({
  entries: { w: of, speed: `${of}.speed` },
  gradient: gradient as tf.Tensor1D,
  scalars: { rate: tf.scalar(0.25) },
  formula,
  ...more,
});
const vector = (data: readonly number[]): Value => ({ data: Float32Array.from(data), shape: [data.length] });
const wave = (size: number, seed: number) => Array.from({ length: size }, (_, i) => Math.sin(1 + i * 1.3 + seed));

/** More than one chunk of a loop, and not a multiple of four. */
const LONG = 33_001;
const specs: ParameterSpec[] = [
  { name: "one", shape: [3, 2], start: "zeros" },
  { name: "idle", shape: [5], start: "zeros" },
  { name: "two", shape: [LONG - 11], start: "zeros" },
];
const programs: Record<"a" | "both" | "late", StepProgram> = {
  a({ x }, { a }) {
    const { values, gradient } = differentiate(a as tf.Tensor1D, specs, (p) => {
      const two = tf.mul(tf.square(p.get("two")!), x!);
      return { total: tf.add(tf.sum(two), tf.sum(tf.sin(p.get("one")!))) as tf.Scalar };
    });
    return { outputs: values, state: {}, updates: [update(gradient, "a", { norm: "length" })] };
  },
  both({ x }, { a, b, count }) {
    const one = parametersOf(a as tf.Tensor1D, specs).get("one")!;
    const gradientOfB = tf.mul(b!, tf.add(x!, tf.sum(one)));
    const gradientOfA = tf.mul(a!, tf.sum(b!));
    const updates = [update(gradientOfB, "b"), update(gradientOfA, "a", { norm: "length of a" })];
    return { outputs: { count: count! }, state: { count: tf.add(count!, 1) }, updates };
  },
  // An entry that other programs update in place, replaced.
  late: (_, { a }) => ({ outputs: {}, state: { a: tf.neg(a!) } }),
};
const start = () => ({
  a: vector(wave(LONG, 0)),
  "a.speed": vector(wave(LONG, 1).map((value) => value / 100)),
  b: vector(wave(7, 2)),
  "b.speed": vector(wave(7, 3)),
  count: vector([0]),
});
const open = (engine: "onnx" | "js") => compileSteps(programs, { name: "toy", engine, threads: 1, state: start() });
const x = { x: { data: Float32Array.of(0.5), shape: [1] } };

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

function expectClose(a: Record<string, Value>, b: Record<string, Value>): void {
  expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
  for (const [name, { data, shape }] of Object.entries(b)) {
    expect(a[name]!.shape, name).toEqual(shape);
    let worst = 0;
    data.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(a[name]!.data[i]! - value) / (1 + Math.abs(value)));
    });
    expect(worst, name).toBeLessThan(2e-6);
  }
}

test("updates in place are the updates in tensors, whatever programs share", async () => {
  await using onnx = open("onnx");
  await using js = open("js");
  for (const program of ["a", "both", "a", "late", "both", "a"] as const) {
    expectClose(await onnx.run(program, x), await js.run(program, x));
    expectClose(await onnx.read(), await js.read());
  }
});

describe.each(["onnx", "js"] as const)("%s", (engine) => {
  test("an update is its formula, element by element", async () => {
    await using steps = open(engine);
    const { b, "b.speed": speed } = start();
    const sum = wave(6, 0).reduce((total, value) => total + value, 0);
    const gradient = Array.from(b.data, (value) => value * (0.5 + sum));
    const norm = Math.hypot(...gradient);
    await steps.run("both", x);
    const { b: moved } = await steps.read(["b"]);
    moved!.data.forEach((value, i) => {
      const faster = speed.data[i]! * 0.5 + gradient[i]! / norm;
      expect(value).toBeCloseTo(b.data[i]! - 0.25 * faster, 5);
    });
  });

  test("several steps at once are the steps one by one, bit for bit", async () => {
    await using together = open(engine);
    await using single = open(engine);
    const data = Float32Array.of(0.5, -0.25, 2);
    const outputs = await together.run("a", { x: { data, shape: [3, 1] } }, { steps: 3 });
    for (const [i, value] of data.entries()) {
      const output = await single.run("a", { x: vector([value]) });
      expect([outputs.total!.data[i], outputs.length!.data[i]]).toEqual([
        output.total!.data[0],
        output.length!.data[0],
      ]);
    }
    expect(outputs.total!.shape).toEqual([3]);
    expect(await together.read()).toEqual(await single.read());
  });

  test("what was read is a copy, and what is written is what the next update starts from", async () => {
    await using steps = open(engine);
    await steps.run("a", x);
    const kept = await steps.read();
    await steps.run("a", x);
    const second = await steps.read();
    await steps.write(kept);
    for (const { data } of Object.values(kept)) data.fill(3);
    await steps.run("a", x);
    expect(await steps.read()).toEqual(second);
  });

  test("an update that cannot be is refused, and changes nothing", async () => {
    const grown = (_: unknown, { b }: Readonly<Record<string, tf.Tensor>>) => tf.concat([b!, b!]);
    await using steps = compileSteps(
      {
        twice: (_, { b }) => ({ outputs: { b: b! }, state: {}, updates: [update(b!, "b"), update(b!, "b")] }),
        also: (_, { b }) => ({ outputs: { b: b! }, state: { b: tf.neg(b!) }, updates: [update(b!, "b")] }),
        unknown: (_, { b }) => ({ outputs: { b: b! }, state: {}, updates: [update(b!, "c")] }),
        long: (inputs, state) => ({ outputs: {}, state: {}, updates: [update(grown(inputs, state), "b")] }),
        pick: ({ at }, { b }) => ({
          outputs: {},
          state: {},
          updates: [update(tf.gather(b!, at as tf.Tensor1D), "b")],
        }),
      },
      { name: "toy", engine, state: { b: vector([1, 2]), "b.speed": vector([3, 4]) } },
    );
    await expect(steps.run("twice", {})).rejects.toThrow(/toy\/twice changes the state "b" twice/);
    await expect(steps.run("also", {})).rejects.toThrow(/toy\/also changes the state "b" twice/);
    await expect(steps.run("unknown", {})).rejects.toThrow(/toy\/unknown gives a state "c" that there is not/);
    await expect(steps.run("long", {})).rejects.toThrow(/float32\[4\], but it was float32\[2\]/);
    const at = (...data: number[]) => ({ at: { data: Int32Array.from(data), shape: [2] } });
    if (engine === "onnx") {
      await expect(steps.run("pick", at(0, 9))).rejects.toThrow(/toy failed in ONNX Runtime/);
      const read = await steps.read();
      expect([read.b!.data, read["b.speed"]!.data]).toEqual([Float32Array.of(1, 2), Float32Array.of(3, 4)]);
    }
    await steps.run("pick", at(1, 0));
    const norm = Math.sqrt(5);
    expect((await steps.read(["b"])).b!.data[0]).toBeCloseTo(1 - 0.25 * (1.5 + 2 / norm), 5);
  });
});
