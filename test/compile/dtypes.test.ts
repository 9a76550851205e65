import { expect, test } from "vitest";
import { openOnnx } from "../../src/compile/index.ts";
import { node, onnxModel, type TypeName, value } from "./write-onnx.ts";

/** y = x + x in one type, and x as text, which nobody has to read. */
const doubling = (type: TypeName, opset?: number) =>
  onnxModel(
    {
      nodes: [node("Add", ["x", "x"], ["y"])],
      inputs: [value("x", type, ["n", 3])],
      outputs: [value("y", type, ["n", 3])],
    },
    opset,
  );

test.each(["f32", "f16", "f64"] as const)(
  "numbers go into a model of %s as they are, and come back as float32",
  async (type) => {
    await using model = await openOnnx(doubling(type));
    const { y } = await model.run({ x: { data: Float32Array.of(1.5, -2, 1000), shape: [1, 3] } });
    expect(y).toEqual({ data: Float32Array.of(3, -4, 2000), shape: [1, 3] });
  },
);

test("float16 is rounded to the nearest, ties to even, and its infinity and subnormals come back", async () => {
  const same = onnxModel({
    nodes: [node("Identity", ["x"], ["y"])],
    inputs: [value("x", "f16", [5])],
    outputs: [value("y", "f16", [5])],
  });
  await using model = await openOnnx(same);
  const { y } = await model.run({ x: { data: Float32Array.of(0.1, 2049, 2051, 1e6, 2 ** -24), shape: [5] } });
  expect([...y!.data]).toEqual([0.0999755859375, 2048, 2052, Number.POSITIVE_INFINITY, 2 ** -24]);
});

test.each(["i32", "i64"] as const)("whole numbers go into a model of %s and come back as int32", async (type) => {
  await using model = await openOnnx(doubling(type));
  for (const data of [Int32Array.of(1, 2, 70_000), Uint8Array.of(1, 2, 255)]) {
    const { y } = await model.run({ x: { data, shape: [1, 3] } });
    expect(y!.data).toEqual(Int32Array.from(data, (x) => 2 * x));
  }
  await expect(model.run({ x: { data: Float32Array.of(1, 2, 3), shape: [1, 3] } })).rejects.toThrow(
    /is float32, but int(32|64) is needed/,
  );
});

test("a whole number that does not fit is refused, going in and coming out", async () => {
  await using large = await openOnnx(doubling("i64"));
  await expect(large.run({ x: { data: Int32Array.of(2 ** 30, 0, 0), shape: [1, 3] } })).rejects.toThrow(
    /"y" holds 2147483648, which does not fit into int32/,
  );
  await using small = await openOnnx(
    onnxModel({
      nodes: [node("Identity", ["x"], ["y"])],
      inputs: [value("x", "i8", [2])],
      outputs: [value("y", "i8", [2])],
    }),
  );
  expect((await small.run({ x: { data: Int32Array.of(-128, 127), shape: [2] } })).y!.data).toEqual(
    Int32Array.of(-128, 127),
  );
  await expect(small.run({ x: { data: Uint8Array.of(1, 200), shape: [2] } })).rejects.toThrow(
    /is uint8, but int8 is needed, and some numbers do not fit/,
  );
});

test("outputs that nobody asks for may be of any type", async () => {
  const file = onnxModel({
    nodes: [node("Neg", ["x"], ["y"]), node("Identity", ["words"], ["said"])],
    constants: [{ name: "words", dims: [0], data_type: 8 }],
    inputs: [value("x", "f32", [2])],
    outputs: [value("y", "f32", [2]), value("said", "text", [0])],
  });
  await using model = await openOnnx(file);
  const x = { data: Float32Array.of(1, 2), shape: [2] };
  expect(await model.run({ x }, ["y"])).toEqual({ y: { data: Float32Array.of(-1, -2), shape: [2] } });
  await expect(model.run({ x })).rejects.toThrow(/"said" is of the type string/);
  await expect(model.run({ x }, ["z"])).rejects.toThrow(/has no output "z"/);
});

test.each([
  ["version https://git-lfs.github.com/spec/v1\noid sha256:1a\nsize 3\n", /git lfs pull/],
  ["PK\u0003\u0004", /torch\.onnx\.export/],
  ["<!DOCTYPE html><html>", /web page/],
  ["", /empty/],
  ["nonsense", /no ONNX file, or is cut short/],
])("what is no model is named by what it is: %j", async (text, hint) => {
  const error = await openOnnx(new TextEncoder().encode(text)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "PipeError", hint: expect.stringMatching(hint) });
});

test("a newer operator set and an unknown operator are named as such", async () => {
  const newer = await openOnnx(doubling("f32", 99)).catch((thrown: unknown) => thrown);
  expect(newer).toMatchObject({ hint: expect.stringMatching(/opset 99.*older operator set/) });
  const own = onnxModel({
    nodes: [node("MyOwnOp", ["x"], ["y"])],
    inputs: [value("x", "f32", [2])],
    outputs: [value("y", "f32", [2])],
  });
  const error = await openOnnx(own).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    message: expect.stringContaining("MyOwnOp"),
    hint: expect.stringMatching(/no such operator/),
  });
});
