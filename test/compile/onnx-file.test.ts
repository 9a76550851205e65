import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { openOnnx } from "../../src/compile/index.ts";
import { readOnnx } from "../../src/compile/onnx-file.ts";
import { PipeError } from "../../src/errors.ts";
import { temporary } from "../pipelines/temporary.ts";
import { attribute, graph, node, onnxModel, tensor, value } from "./write-onnx.ts";

const WEIGHTS = Float32Array.of(1, 2, 3, 4);
const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer.slice(0));
const [x, y] = [value("x", "f32", ["n", 4]), value("y", "f32", ["n", 4])];

/** y = x + w, with w at a place in a second file. */
const adding = (place: { location: string; offset?: number; length?: number }) =>
  onnxModel({
    nodes: [node("Add", ["x", "w"], ["y"])],
    constants: [tensor("w", [4], "f32", place)],
    inputs: [x],
    outputs: [y],
  });

async function write(path: string, bytes: Uint8Array): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

async function sums(path: string): Promise<number[]> {
  await using model = await openOnnx(path);
  const { y } = await model.run({ x: { data: Float32Array.of(10, 20, 30, 40), shape: [1, 4] } });
  return [...y!.data];
}

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error("it was not refused"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PipeError);
  return `${(error as PipeError).message} ${(error as PipeError).hint}`;
}

test("weights in a second file are those beside the model, whatever the current folder has", async () => {
  const folder = await temporary();
  const path = await write(join(folder, "m", "two.onnx"), adding({ location: "w.bin" }));
  await write(join(folder, "m", "w.bin"), bytesOf(WEIGHTS));
  await write(join(folder, "here", "w.bin"), bytesOf(WEIGHTS.map((w) => -w)));
  const before = process.cwd();
  process.chdir(join(folder, "here"));
  try {
    expect(await sums(path)).toEqual([11, 22, 33, 44]);
  } finally {
    process.chdir(before);
  }
});

test.each([
  ["./w.bin", 0],
  ["weights/w.bin", 0],
  ["w é.bin", 8],
])("a location %s, from byte %i", async (location, offset) => {
  const folder = await temporary();
  const path = await write(join(folder, "m.onnx"), adding({ location, offset, length: 16 }));
  const padded = new Uint8Array(offset + 20);
  padded.set(bytesOf(WEIGHTS), offset);
  await write(join(folder, location), padded);
  expect(await sums(path)).toEqual([11, 22, 33, 44]);
});

test("the digest is of both files; of a file alone it is its sha256", async () => {
  const folder = await temporary();
  const path = await write(join(folder, "m.onnx"), adding({ location: "w.bin" }));
  await write(join(folder, "w.bin"), bytesOf(WEIGHTS));
  const first = (await readOnnx(path)).digest;
  await using model = await openOnnx(path);
  expect(model.digest).toBe(first);
  await write(join(folder, "w.bin"), bytesOf(WEIGHTS.map((w) => -w)));
  expect((await readOnnx(path)).digest).not.toBe(first);
  expect(await sums(path)).toEqual([9, 18, 27, 36]);
  await write(join(folder, "w.bin"), bytesOf(WEIGHTS));
  expect((await readOnnx(path)).digest).toBe(first);
});

test("missing, short and foreign files are named", async () => {
  const folder = await temporary();
  const path = await write(join(folder, "m.onnx"), adding({ location: "w.bin" }));
  expect(await refused(openOnnx(path))).toMatch(
    /keeps its weights in "w\.bin", not found\. Put that file into .*beside/,
  );
  await write(join(folder, "w.bin"), bytesOf(WEIGHTS));
  await write(path, adding({ location: "w.bin", offset: 4, length: 16 }));
  expect(await refused(openOnnx(path))).toMatch(/"w" ends at byte 20 of .*w\.bin, which has 16/);
  await rm(join(folder, "w.bin"));
  await mkdir(join(folder, "w.bin"));
  await write(path, adding({ location: "w.bin" }));
  expect(await refused(openOnnx(path))).toMatch(/w\.bin, where its weights are, is not a regular file/);
  expect(await refused(openOnnx(join(folder, "none.onnx")))).toMatch(/none\.onnx cannot be read: it does not exist/);
  expect(await refused(openOnnx(adding({ location: "w.bin" })))).toMatch(/only the model's own bytes were given/);
});

test("a location that leaves the model's folder is refused, by name or by link", async () => {
  const folder = await temporary();
  const outside = await write(join(folder, "w.bin"), bytesOf(WEIGHTS));
  for (const location of ["../w.bin", "a/../../w.bin", "..\\w.bin", outside, "C:\\w.bin", ""]) {
    const path = await write(join(folder, "m", "m.onnx"), adding({ location }));
    expect(await refused(openOnnx(path))).toContain("is not a file in the model's folder");
  }
  const path = await write(join(folder, "m", "m.onnx"), adding({ location: "link.bin" }));
  await symlink(outside, join(folder, "m", "link.bin"));
  expect(await refused(openOnnx(path))).toContain("is not a file in the model's folder");
});

test("a folder of links to one store, as Hugging Face keeps models, is read", async () => {
  const folder = await temporary();
  await write(join(folder, "blobs", "1a"), adding({ location: "m.onnx.data" }));
  await write(join(folder, "blobs", "2b"), bytesOf(WEIGHTS));
  await mkdir(join(folder, "snapshot"));
  await symlink("../blobs/1a", join(folder, "snapshot", "m.onnx"));
  await symlink("../blobs/2b", join(folder, "snapshot", "m.onnx.data"));
  expect(await sums(join(folder, "snapshot", "m.onnx"))).toEqual([11, 22, 33, 44]);
});

test("a Constant's numbers may be in a second file; those of a branch are refused, not taken from elsewhere", async () => {
  const folder = await temporary();
  await write(join(folder, "w.bin"), bytesOf(WEIGHTS));
  const w = tensor("w", [4], "f32", { location: "w.bin" });
  const constant = node("Constant", [], ["w"], [attribute.tensor("value", w)]);
  const path = await write(
    join(folder, "constant.onnx"),
    onnxModel({ nodes: [constant, node("Add", ["x", "w"], ["y"])], inputs: [x], outputs: [y] }),
  );
  expect(await sums(path)).toEqual([11, 22, 33, 44]);
  const branch = graph({
    nodes: [node("Add", ["x", "w"], ["sum"])],
    constants: [w],
    outputs: [value("sum", "f32", ["n", 4])],
  });
  const either = node(
    "If",
    ["yes"],
    ["y"],
    [attribute.graph("then_branch", branch), attribute.graph("else_branch", branch)],
  );
  const branching = await write(
    join(folder, "branch.onnx"),
    onnxModel({
      nodes: [either],
      constants: [tensor("yes", [], "bool", Uint8Array.of(1))],
      inputs: [x],
      outputs: [y],
    }),
  );
  expect(await refused(openOnnx(branching))).toMatch(/"w" is inside a branch, a loop or a function/);
});
