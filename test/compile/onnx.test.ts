import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { compile, composite, loadGraphModel, openOnnx, type Program } from "../../src/compile/index.ts";
import { registerTracing } from "../../src/compile/kernels/index.ts";
import { countOps, encode } from "../../src/compile/onnx.ts";
import { SessionHost } from "../../src/compile/session.ts";
import { trace } from "../../src/compile/trace.ts";
import { hasMedia, media } from "../media.ts";
import { graphModel, waves } from "./models.ts";

const scale: Program = ({ x, n }) => ({ y: tf.mul(x!, tf.cast(n!, "float32")) });

/** What ONNX Runtime makes of a graph: operators by number after all its optimisations. */
async function optimised(file: Uint8Array): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "optimised-"));
  const host = new SessionHost("optimised", {});
  try {
    await host.open(file, { optimisedPath: join(folder, "model.onnx") });
    return countOps(await readFile(join(folder, "model.onnx")));
  } finally {
    await host.close();
    await rm(folder, { recursive: true });
  }
}

test("an exported file holds all it needs: opened alone it gives the same numbers", async () => {
  await using compiled = compile(scale, { name: "scale" });
  const file = compiled.toOnnx({ x: { shape: [2, 3], dtype: "float32" }, n: { shape: [3], dtype: "uint8" } });
  await using model = await openOnnx(file, { name: "scale.onnx" });
  const feeds = { x: { data: waves(6), shape: [2, 3] }, n: { data: Uint8Array.of(1, 2, 200), shape: [3] } };
  expect(await model.run(feeds)).toEqual(await compiled.run(feeds));
  expect(model.inputs).toEqual([
    { name: "x", shape: [2, 3], dtype: "float32" },
    { name: "n", shape: [3], dtype: "uint8" },
  ]);
  expect(model.outputs).toEqual([{ name: "y", shape: [2, 3], dtype: "float32" }]);
  expect(compiled.toOnnx({ x: { shape: [2, 3], dtype: "float32" }, n: { shape: [3], dtype: "uint8" } })).toEqual(file);
});

test("equal weights and equal steps are written once", () => {
  registerTracing();
  const program: Program = ({ x }) => {
    const [a, b] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([1, 2, 3])];
    return { y: tf.add(tf.exp(tf.mul(x!, a)), tf.exp(tf.mul(x!, b))), unused: tf.neg(tf.add(a, b)) };
  };
  const graph = trace("twice", program, { x: { shape: [3], dtype: "float32" } });
  expect(countOps(encode(graph))).toEqual({ Mul: 1, Exp: 1, Add: 1, Identity: 2 });
  // [1, 2, 3], and the sum that was folded.
  expect(graph.constants.length).toBe(2);
});

describe("transposes that are left after optimisation", () => {
  test("BlazeFace: none", async () => {
    const model = await loadGraphModel(graphModel("blazeface"), { anyBatch: true });
    await using compiled = compile(model.program, { name: "blazeface" });
    const file = compiled.toOnnx({ input: { shape: [2, 256, 256, 3], dtype: "float32" } });
    // Its four heads leave ONNX Runtime's blocked format in the order of their pixels at once.
    expect(countOps(file).Transpose).toBe(4);
    expect((await optimised(file)).Transpose ?? 0).toBe(0);
    model.dispose();
  });

  test("a generator of convolutions, instance norms, residuals and transposed convolutions: at most one out", async () => {
    const weight = (shape: [number, number, number, number]) =>
      tf.tensor4d(waves(shape.reduce((a, b) => a * b, 1)), shape);
    const norm = (x: tf.Tensor, channels: number) =>
      composite(
        "instanceNorm",
        [x, tf.ones([channels]), tf.zeros([channels])],
        { epsilon: 1e-5 },
        (x, _scale, _shift) => x,
      ) as tf.Tensor4D;
    const program: Program = ({ pixels }) => {
      let x = tf.sub(tf.div(tf.cast(pixels!, "float32"), 127.5), 1) as tf.Tensor4D;
      x = tf.relu(norm(tf.conv2d(x, weight([3, 3, 3, 8]), 1, 1), 8));
      x = tf.relu(norm(tf.conv2d(x, weight([4, 4, 8, 16]), 2, 1), 16));
      x = tf.add(x, norm(tf.conv2d(x, weight([3, 3, 16, 16]), 1, 1), 16));
      const z = tf.concat([x, tf.mul(x, tf.mean(x, [1, 2], true))], 3);
      x = tf.relu(norm(tf.conv2dTranspose(x, weight([4, 4, 8, 16]), [1, 16, 16, 8], 2, 1), 8));
      return { image: tf.tanh(tf.conv2d(x, weight([3, 3, 8, 3]), 1, 1)), z: tf.transpose(z, [0, 3, 1, 2]) };
    };
    await using compiled = compile(program, { name: "generator" });
    const file = compiled.toOnnx({ pixels: { shape: [1, 16, 16, 3], dtype: "uint8" } });
    expect(countOps(file).Transpose).toBe(1);
    expect((await optimised(file)).Transpose ?? 0).toBeLessThanOrEqual(1);
    expect(countOps(file).InstanceNormalization).toBe(4);
  });
});

describe("a user's own file", () => {
  test("that is broken or missing is refused", async () => {
    const folder = await mkdtemp(join(tmpdir(), "onnx-"));
    try {
      await writeFile(join(folder, "broken.onnx"), "this is no model");
      await expect(openOnnx(join(folder, "broken.onnx"))).rejects.toThrow(
        /^broken.onnx cannot be opened as an ONNX model/,
      );
      await expect(openOnnx(join(folder, "none.onnx"))).rejects.toThrow(/cannot be read/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("says what it needs when a feed does not fit", async () => {
    await using compiled = compile(scale, { name: "scale" });
    const file = compiled.toOnnx({ x: { shape: [2, 3], dtype: "float32" }, n: { shape: [3], dtype: "int32" } });
    await using model = await openOnnx(file, { name: "scale.onnx" });
    const x = { data: waves(6), shape: [2, 3] };
    const n = { data: Int32Array.of(1, 2, 3), shape: [3] };
    await expect(model.run({ x })).rejects.toThrow('needs the input "n"');
    await expect(model.run({ x, n, m: n })).rejects.toThrow('has no input "m"');
    await expect(model.run({ x: { ...x, shape: [3, 2] }, n })).rejects.toThrow(
      "the shape [3, 2], but [2, 3] is needed",
    );
    await expect(model.run({ x, n: { data: waves(3), shape: [3] } })).rejects.toThrow(
      "is float32, but int32 is needed",
    );
    expect((await model.run({ x, n })).y!.shape).toEqual([2, 3]);
  });

  test.skipIf(!hasMedia)("with axes of any length has names for them", async () => {
    await using model = await openOnnx(media("models", "yunet_n_dynamic.onnx"));
    expect(model.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(model.inputs.length).toBe(1);
    expect(model.inputs[0]!.shape.some((length) => typeof length === "string")).toBe(true);
    const image = { data: waves(3 * 64 * 96), shape: [1, 3, 64, 96] };
    const result = await model.run({ [model.inputs[0]!.name]: image });
    expect(Object.keys(result).sort()).toEqual(model.outputs.map((output) => output.name).sort());
  });
});
