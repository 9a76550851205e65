import { describe, expect, test } from "vitest";
import { compile } from "../../../src/compile/index.ts";
import { countOps } from "../../../src/compile/onnx.ts";
import type { Image } from "../../../src/records.ts";
import { openEncoder } from "../../../src/systems/anclaf/latents.ts";
import { networks } from "../../../src/systems/index.ts";
import { formulaPixels } from "./formula.ts";

const SIDE = 128;
const bytes = SIDE * SIDE * 3;
const pixels = formulaPixels(7, SIDE);
const images = Array.from({ length: 7 }, (_, i): Image => {
  return { width: SIDE, height: SIDE, data: pixels.slice(i * bytes, (i + 1) * bytes) };
});

describe("an opened encoder", () => {
  test("gives an image the same bits alone, in a full batch, in a part of one, and whatever the batch or the threads", async () => {
    await using seven = await openEncoder({ preset: "small", form: "onehot", batch: 7, engine: "onnx" });
    const together = await seven.encode(images);
    for (const n of [1, 2, 3, 5]) expect(await seven.encode(images.slice(-n)), `${n}`).toEqual(together.slice(-n));
    await using three = await openEncoder({ preset: "small", form: "onehot", batch: 3, engine: "onnx", threads: 1 });
    expect(await three.encode(images.slice(2, 5))).toEqual(together.slice(2, 5));
  });

  test("agrees with the reference engine", async () => {
    await using fast = await openEncoder({ preset: "small", form: "index", batch: 2, engine: "onnx" });
    await using reference = await openEncoder({ preset: "small", form: "index", batch: 1, engine: "js" });
    const [found] = await fast.encode(images.slice(0, 1));
    const [expected] = await reference.encode(images.slice(0, 1));
    expect(found!.z).toHaveLength(65 * 16 * 16);
    for (const part of ["z", "q"] as const) {
      const worst = Math.max(...expected![part].map((x, i) => Math.abs(x - found![part][i]!)));
      expect(worst, part).toBeLessThan(1e-3);
    }
  });

  test("says what it is", async () => {
    await using encoder = await openEncoder({ preset: "paper", form: "none", batch: 1, engine: "onnx", seed: 5 });
    expect(encoder).toMatchObject({ weights: "untrained (seed 5)", shape: [64, 32, 32], engine: { name: "onnx" } });
  });
});

test("the compiled encoder turns the pixels once and Q's planes once, and Z never", async () => {
  const { program, inputs, dispose } = await networks["anclaf-encoder"]!.build({ preset: "small", batch: 2 });
  await using compiled = compile(program, { name: "encoder", engine: "onnx" });
  const ops = countOps(compiled.toOnnx(inputs));
  expect(ops.InstanceNormalization).toBe(15);
  expect(ops.Transpose).toBeLessThanOrEqual(2);
  dispose();
});
