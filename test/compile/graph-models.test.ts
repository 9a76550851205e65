import { copyFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compile, loadGraphModel } from "../../src/compile/index.ts";
import { compare } from "./conformance.ts";
import { graphModel, waves } from "./models.ts";

test.each([
  ["blazeface", [1, 256, 256, 3], undefined],
  ["facemesh", [1, 192, 192, 3], undefined],
  // Its third output picks the 100 best cells, and cells that tie in float32 come in any order.
  ["centernet", [1, 512, 512, 3], ["tower_0/wh", "tower_0/keypoints"]],
])(
  "%s gives what the reference gives",
  async (name, shape, outputs) => {
    const before = tf.memory().numTensors;
    const model = await loadGraphModel(graphModel(name), outputs ? { outputs } : {});
    await using fast = compile(model.program, { name });
    await using slow = compile(model.program, { name, engine: "js" });
    const feeds = { [model.inputs[0]!.name]: { data: waves(shape.reduce((a, b) => a * b, 1)), shape } };
    const [found, expected] = [await fast.run(feeds), await slow.run(feeds)];
    expect(fast.engine.name).toBe("onnx");
    expect(Object.keys(expected).sort()).toEqual([...model.outputs].sort());
    for (const [output, value] of Object.entries(expected)) {
      expect(found[output]!.shape).toEqual(value.shape);
      compare(`${name} ${output}`, found[output]!.data, value.data, 1e-3);
    }
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  },
  120_000,
);

test("anyBatch: a sample alone is the same, bit for bit, as among others", async () => {
  const model = await loadGraphModel(graphModel("blazeface"), { anyBatch: true });
  await using compiled = compile(model.program, { name: "blazeface" });
  const size = 256 * 256 * 3;
  const data = waves(3 * size);
  const together = await compiled.run({ input: { data, shape: [3, 256, 256, 3] } });
  for (let i = 0; i < 3; i++) {
    const alone = await compiled.run({
      input: { data: data.slice(i * size, (i + 1) * size), shape: [1, 256, 256, 3] },
    });
    for (const [name, value] of Object.entries(alone))
      expect(together[name]!.data.slice(i * value.data.length, (i + 1) * value.data.length)).toEqual(value.data);
  }
  model.dispose();
});

test("bytes are cast to what the model takes", async () => {
  const model = await loadGraphModel(graphModel("facemesh"));
  await using compiled = compile(model.program, { name: "facemesh" });
  const shape = [1, 192, 192, 3];
  const data = Uint8Array.from({ length: 192 * 192 * 3 }, (_, i) => i % 256);
  const bytes = await compiled.run({ input_1: { data, shape } });
  const floats = await compiled.run({ input_1: { data: Float32Array.from(data), shape } });
  expect(bytes).toEqual(floats);
  model.dispose();
});

test("the digest is that of the bytes: the same after a copy, another after an edit", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graph-model-"));
  try {
    const source = graphModel("blazeface");
    await copyFile(source, join(folder, "blazeface.json"));
    await copyFile(source.replace(/json$/, "bin"), join(folder, "blazeface.bin"));
    const [one, two] = [await loadGraphModel(source), await loadGraphModel(join(folder, "blazeface.json"))];
    expect(two.digest).toBe(one.digest);
    one.dispose();
    two.dispose();
    await truncate(join(folder, "blazeface.bin"), 1000);
    await expect(loadGraphModel(join(folder, "blazeface.json"))).rejects.toThrow(
      /hold 1000 bytes, but its manifest needs/,
    );
    await writeFile(join(folder, "other.json"), '{"modelTopology": {}}');
    await expect(loadGraphModel(join(folder, "other.json"))).rejects.toThrow(/not a TensorFlow.js GraphModel/);
    await expect(loadGraphModel(join(folder, "none.json"))).rejects.toThrow(/cannot be read/);
    await expect(loadGraphModel(source, { outputs: ["boxes"] })).rejects.toThrow(/no output "boxes"/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
