import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compile, type Program, type Value } from "../../src/compile/index.ts";
import { PipeError } from "../../src/errors.ts";

const floats = (shape: number[], ...data: number[]): Value => ({ data: Float32Array.from(data), shape });
const scale: Program = ({ x }) => ({ y: tf.mul(x!, 2), sum: tf.sum(x!) });
const engines = ["onnx", "js"] as const;

test.each(engines)("%s: runs, for each shape anew, and leaves feeds and tensors alone", async (engine) => {
  await using compiled = compile(scale, { name: "scale", engine });
  expect(compiled.engine).toMatchObject({ name: engine, why: "asked for" });
  const before = tf.memory().numTensors;
  const feed = floats([3], 1, 2, 3);
  expect(await compiled.run({ x: feed })).toEqual({ y: floats([3], 2, 4, 6), sum: floats([], 6) });
  expect(await compiled.run({ x: floats([1, 2], 4, 5) })).toEqual({ y: floats([1, 2], 8, 10), sum: floats([], 9) });
  expect(feed).toEqual(floats([3], 1, 2, 3));
  expect(tf.memory().numTensors).toBe(before);
});

test.each(engines)("%s: bytes enter as int32, and every dtype leaves as its own array", async (engine) => {
  await using compiled = compile(
    ({ x }) => ({
      wide: tf.mul(x!, tf.scalar(3, "int32")),
      half: tf.div(tf.cast(x!, "float32"), 2),
      big: tf.greater(x!, 99),
    }),
    { name: "bytes", engine },
  );
  const result = await compiled.run({ x: { data: Uint8Array.of(1, 100, 255), shape: [3] } });
  expect(result).toEqual({
    wide: { data: Int32Array.of(3, 300, 765), shape: [3] },
    half: floats([3], 0.5, 50, 127.5),
    big: { data: Uint8Array.of(0, 1, 1), shape: [3] },
  });
});

test.each(engines)(
  "%s: inputs, constants and one tensor twice may be outputs; weights outlive the run",
  async (engine) => {
    const weight = tf.tensor1d([5, 6]);
    const program: Program = ({ x }) => {
      const twice = tf.add(x!, weight);
      return { same: x!, weight, one: twice, two: twice };
    };
    await using compiled = compile(program, { name: "echo", engine });
    const expected = {
      same: floats([2], 1, 2),
      weight: floats([2], 5, 6),
      one: floats([2], 6, 8),
      two: floats([2], 6, 8),
    };
    expect(await compiled.run({ x: floats([2], 1, 2) })).toEqual(expected);
    expect(await compiled.run({ x: floats([2], 1, 2) })).toEqual(expected);
    expect([...(await weight.data())]).toEqual([5, 6]);
    weight.dispose();
  },
);

test.each(engines)("%s: tensors of no elements and reductions over them", async (engine) => {
  const empty = (x: tf.Tensor) => tf.slice(x, [0, 0], [0, 3]);
  await using compiled = compile(
    ({ x }) => ({
      sum: tf.sum(empty(x!)),
      prod: tf.prod(empty(x!), 0),
      joined: tf.concat([empty(x!), x!], 0),
    }),
    { name: "empty", engine },
  );
  expect(await compiled.run({ x: floats([1, 3], 1, 2, 3) })).toEqual({
    sum: floats([], 0),
    prod: floats([3], 1, 1, 1),
    joined: floats([1, 3], 1, 2, 3),
  });
});

test.each(engines)("%s: NaN is not lost in Max, Min, Relu or a comparison", async (engine) => {
  const x = floats([2, 3], 1, Number.NaN, 3, 4, 5, 6);
  await using compiled = compile(
    ({ x }) => ({
      max: tf.max(x!, 1),
      min: tf.min(x!, 1),
      relu: tf.relu(x!),
      larger: tf.maximum(x!, 2),
      equal: tf.equal(x!, x!),
    }),
    { name: "nan", engine },
  );
  const { max, min, relu, larger, equal } = await compiled.run({ x });
  expect([...max!.data]).toEqual([Number.NaN, 6]);
  expect([...min!.data]).toEqual([Number.NaN, 4]);
  expect([...relu!.data]).toEqual([1, Number.NaN, 3, 4, 5, 6]);
  expect([...larger!.data]).toEqual([2, Number.NaN, 3, 4, 5, 6]);
  expect([...equal!.data]).toEqual([1, 0, 1, 1, 1, 1]);
});

test.each(engines)("%s: whole numbers divided by zero give zero, as in the reference", async (engine) => {
  await using compiled = compile(({ a, b }) => ({ q: tf.floorDiv(a!, b!), r: tf.mod(a!, b!) }), {
    name: "zero",
    engine,
  });
  const ints = (...data: number[]): Value => ({ data: Int32Array.from(data), shape: [data.length] });
  const result = await compiled.run({ a: ints(7, -7, 7, -7, 5), b: ints(2, 2, -2, -2, 0) });
  expect(result).toEqual({ q: ints(3, -4, -4, 3, 0), r: ints(1, 1, -1, -1, 0) });
});

test("calls that come together are traced once and each gets its own answer", async () => {
  let traced = 0;
  await using compiled = compile(
    ({ x }) => {
      traced += 1;
      return { y: tf.add(x!, 1) };
    },
    { name: "count", engine: "onnx" },
  );
  const results = await Promise.all([1, 2, 3, 4].map((value) => compiled.run({ x: floats([1], value) })));
  expect(results.map(({ y }) => y!.data[0])).toEqual([2, 3, 4, 5]);
  expect(traced).toBe(1);
});

const wrong: [string, Program, RegExp][] = [
  [
    "reads a value",
    ({ x }) => ({ y: x!.dataSync()[0]! > 0 ? x! : tf.neg(x!) }),
    /bad reads the value of a tensor while it is traced/,
  ],
  [
    "has an op without a kernel",
    ({ x }) => ({ y: tf.image.transform(tf.reshape(x!, [1, 1, 2, 1]), tf.zeros([1, 8])) }),
    /bad uses the TensorFlow.js kernel Transform, which cannot be compiled/,
  ],
  [
    "fails by itself",
    ({ x }) => ({ y: tf.add(x!, tf.zeros([3])) }),
    /bad failed while it was traced: Error: Operands could not be broadcast/,
  ],
  ["gives nothing", () => ({}), /bad gives no outputs/],
  ["names an output like an input", ({ x }) => ({ x: tf.neg(x!) }), /an input and an output named "x"/],
];

test.each(wrong)("a program that %s is refused with its name", async (_, program, message) => {
  const before = tf.memory().numTensors;
  await using compiled = compile(program, { name: "bad", engine: "onnx" });
  const run = compiled.run({ x: floats([2], 1, 2) });
  await expect(run).rejects.toThrow(PipeError);
  await expect(run).rejects.toThrow(message);
  expect(tf.memory().numTensors).toBe(before);
  expect(tf.getBackend()).not.toBe("trace");
});

test("a feed whose length is not its shape's is refused", async () => {
  await using compiled = compile(scale, { name: "scale", engine: "js" });
  await expect(compiled.run({ x: floats([2, 2], 1) })).rejects.toThrow(
    'the feed "x" has 1 values, but its shape [2, 2] needs 4',
  );
});

test("an unknown engine, provider or number of threads is refused", () => {
  expect(() => compile(scale, { name: "x", engine: "cuda" as never })).toThrow(/no engine "cuda"/);
  expect(() => compile(scale, { name: "x", provider: "tpu" as never })).toThrow(/no provider "tpu"/);
  expect(() => compile(scale, { name: "x", engine: "onnx", threads: 0 })).toThrow(/threads must be/);
});

test.each(["onnx", "js"] as const)(
  "%s: feeds may be reused as soon as run was called, the first time too",
  async (engine) => {
    await using compiled = compile(scale, { name: "scale", engine });
    for (let time = 0; time < 2; time++) {
      const x = floats([2], 3, 4);
      const answer = compiled.run({ x });
      (x.data as Float32Array).fill(0);
      expect(await answer).toEqual({ y: floats([2], 6, 8), sum: floats([], 7) });
    }
  },
);

test("the tensorflow engine runs where it works; elsewhere another does and says why", async () => {
  await using compiled = compile(scale, { name: "scale", engine: "tensorflow" });
  if (compiled.engine.name !== "tensorflow") {
    expect(compiled.engine.name).toBe("onnx");
    expect(compiled.engine.why).toMatch(/^tensorflow was asked for, but there is no tensorflow \(.*tfjs-node-gpu/);
    expect(compiled.engine.why).not.toContain("\n");
  }
  expect(await compiled.run({ x: floats([1], 3) })).toEqual({ y: floats([1], 6), sum: floats([], 3) });
});
