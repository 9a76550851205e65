import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile/index.ts";
import { writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { loadAnclaf } from "../../src/systems/anclaf/load.ts";
import { networks } from "../../src/systems/index.ts";

const outputs: Record<string, Record<string, number[]>> = {
  "anclaf-encoder": { z: [1, 68, 16, 16], q: [1, 4] },
  "anclaf-frame": { z: [1, 68, 16, 16], q: [1, 4], valence: [1], arousal: [1] },
  "anclaf-sequence": { affect: [1, 8, 2], attention: [1, 8, 8] },
  "anclaf-generator": { z: [1, 16, 16, 64], reconstruction: [1, 64, 64, 3] },
  "anclaf-discriminator": { score: [1, 2, 2, 1], logits: [1, 4] },
};

describe.each(Object.entries(networks))("%s", (name, network) => {
  test("is built with its inputs, runs, and frees its weights", async () => {
    const before = tf.memory().numTensors;
    const built = await network.build({ preset: "small", seed: 1, batch: 1 });
    expect(built.weights).toBe("untrained (seed 1)");
    await using compiled = compile(built.program, { name, engine: "js" });
    const feeds = Object.entries(built.inputs).map(([key, { shape: written, dtype }]) => {
      const shape = written.map(Number);
      const size = shape.reduce((a, b) => a * b, 1);
      return [
        key,
        { shape, data: dtype === "uint8" ? new Uint8Array(size).fill(99) : new Float32Array(size).fill(0.3) },
      ];
    });
    const found = await compiled.run(Object.fromEntries(feeds));
    expect(Object.fromEntries(Object.entries(found).map(([key, { shape }]) => [key, shape]))).toEqual(outputs[name]);
    for (const { data } of Object.values(found)) expect(data.every(Number.isFinite)).toBe(true);
    built.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("an unknown preset is refused with the presets there are", async () => {
    await expect(network.build({ preset: "huge" })).rejects.toThrow('no preset "huge"');
    await expect(network.build({ preset: "huge" })).rejects.toMatchObject({ hint: "Presets: paper, small." });
  });
});

test("weights saved and loaded are the same network; a batch is the inputs' first length", async () => {
  const folder = mkdtempSync(join(tmpdir(), "networks-"));
  try {
    const seeded = await loadAnclaf({ preset: "small", seed: 3 });
    const weights = new Map(
      Array.from(seeded.parameters, ([name, tensor]) => [
        name,
        { shape: tensor.shape, data: tensor.dataSync<"float32">().slice() },
      ]),
    );
    const checkpoint = join(folder, "c.safetensors");
    const digest = await writeCheckpoint(checkpoint, weights);
    // The digest of seeded weights is that of the file they would make.
    expect(seeded.digest).toBe(digest);
    const built = await networks["anclaf-encoder"]!.build({ preset: "small", checkpoint, batch: 5 });
    expect(built.weights).toBe(`checkpoint ${digest.slice(0, 12)}`);
    expect(built.inputs).toEqual({ pixels: { shape: [5, 128, 128, 3], dtype: "uint8" } });
    built.dispose();
    seeded.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("listing networks and stages does not load TensorFlow.js", () => {
  const program = `
    await import("./src/systems/index.ts");
    await import("./src/stages/encode-latents.ts");
    const { createRequire } = await import("node:module");
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes("@tensorflow"));
    console.log(JSON.stringify(loaded));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  expect(stdout.trim(), stderr).toBe("[]");
});
