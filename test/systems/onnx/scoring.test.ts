import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../../src/compile/index.ts";
import { onnxVersions } from "../../../src/compile/onnx-versions.ts";
import { PipeError } from "../../../src/errors.ts";
import type { Image } from "../../../src/records.ts";
import { onnxDigests, openOnnxScorer } from "../../../src/systems/onnx/scoring.ts";
import type { FaceScore } from "../../../src/systems/scoring.ts";
import { folder } from "../../cache/helpers.ts";

let place: Awaited<ReturnType<typeof folder>>;
beforeAll(async () => {
  place = await folder();
});
afterAll(() => place[Symbol.asyncDispose]());

const RUN = { batch: 3, engine: "auto", provider: "cpu" } as const;

/** Writes a model that gives, for each image, the mean of every channel as it came in, and fixed numbers. */
async function model(
  name: string,
  shape: readonly number[],
  axes: readonly number[],
  dtype: "float32" | "uint8" = "float32",
) {
  await using compiled = compile(
    ({ face }) => {
      const means = tf.mean(tf.cast(face!, "float32"), axes as number[]);
      return { means, more: tf.add(tf.mul(means, 0), tf.tensor1d([2, 1, 3])) };
    },
    { name, engine: "onnx" },
  );
  const path = join(place.path, `${name}.onnx`);
  await writeFile(path, compiled.toOnnx({ face: { shape, dtype } }));
  return path;
}

const image = (width: number, height: number, seed: number): Image => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + seed * 31 + (i % 3) * 50) % 256),
});

/** Means of red, green and blue, 0..255. */
function meansOf({ data }: Image): number[] {
  const sums = [0, 0, 0];
  data.forEach((value, i) => {
    sums[i % 3]! += value;
  });
  return sums.map((sum) => sum / (data.length / 3));
}

async function score(path: string, faces: readonly Image[], spec?: unknown): Promise<readonly FaceScore[]> {
  await using scorer = await openOnnxScorer(path, RUN, spec);
  return await scorer.encode(faces);
}

async function failing(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PipeError);
  return `${(error as PipeError).message}\n${(error as PipeError).hint}`;
}

describe("somebody's own .onnx file", () => {
  it("is fed as its YAML says: layout, colour, range, mean and std", async () => {
    const path = await model("first", [3, 3, 5, 4], [2, 3]);
    await writeFile(
      join(place.path, "first.yaml"),
      `input: { layout: nchw, colour: bgr, range: [-1, 1], mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2] }
outputs: { means: [valence, arousal, confidence] }
scale: [-4, 4]`,
    );
    const faces = [1, 2, 3, 4].map((seed) => image(4, 5, seed));
    const scores = await score(path, faces);
    for (const [i, { valence, arousal, confidence, quadrant, expression }] of scores.entries()) {
      const [r, g, b] = meansOf(faces[i]!).map((mean) => (mean / 255) * 2 - 1);
      expect(valence).toBeCloseTo((b! - 0.1) / 0.5, 4);
      expect(arousal).toBeCloseTo((g! - 0.2) / 0.25, 4);
      expect(confidence).toBeCloseTo((r! - 0.3) / 2, 4);
      expect([quadrant, expression]).toEqual([null, null]);
    }
    // Alone as among others, to the bit.
    expect((await score(path, [faces[3]!]))[0]).toEqual(scores[3]);
    expect((await onnxDigests(path)).spec).not.toBe(
      (await onnxDigests(path, { outputs: { means: [{ skip: 3 }] } })).spec,
    );
  });

  it("takes channels last, bytes as they are, and faces of another size", async () => {
    const path = await model("bytes", [2, 6, 6, 3], [1, 2], "uint8");
    const spec = {
      outputs: { means: ["arousal_valence", { skip: 1 }], more: { expression_logits: ["sad", "glad", "calm"] } },
    };
    const plain: Image = { width: 12, height: 12, data: new Uint8Array(432).map((_, i) => [10, 20, 30][i % 3]!) };
    const [first] = await score(path, [plain, image(6, 6, 1), image(6, 6, 2)], spec);
    expect(first).toMatchObject({ arousal: 10, valence: 20, quadrant: null, expression: { name: "calm" } });
    const e = Math.exp;
    expect(first!.expression!.probability).toBeCloseTo(e(3) / (e(1) + e(2) + e(3)), 6);
    expect(first!.confidence).toBe(first!.expression!.probability);
  });

  it("says what the file has and what is needed where the two do not fit", async () => {
    const path = await model("wrong", [1, 3, 8, 8], [2, 3]);
    const open = (spec: unknown) => failing(openOnnxScorer(path, RUN, spec));
    const outputs = { means: "valence_arousal" };
    expect(await open({ outputs })).toMatch(
      /output "means" has 3 numbers a face, and the spec reads 2[\s\S]*means float32 \[1, 3\]/,
    );
    expect(await open({ outputs: { logits: "valence" } })).toMatch(/no output "logits"[\s\S]*means float32/);
    expect(await open({ input: { size: 112 }, outputs })).toMatch(/asks for a height of 112, and the file takes 8/);
    expect(await open({ input: { layout: "nhwc" }, outputs })).toMatch(
      /has 8 channels as nhwc, and 3 are needed[\s\S]*face float32 \[1, 3, 8, 8\]/,
    );
  });

  it("says what a spec looks like where there is none, or it is wrong", async () => {
    const path = await model("bare", [1, 3, 8, 8], [2, 3]);
    expect(await failing(onnxDigests(path))).toMatch(/There is no .*bare\.yaml[\s\S]*outputs: \{ logits/);
    await writeFile(join(place.path, "bare.yaml"), "outputs: { means: [valense] }");
    expect(await failing(onnxDigests(path))).toMatch(/bare\.yaml: [\s\S]*outputs\.means[\s\S]*An output is valence/);
    await writeFile(join(place.path, "bare.yaml"), "outputs: {");
    expect(await failing(onnxDigests(path))).toMatch(/bare\.yaml is not YAML/);
    expect(await failing(onnxDigests(join(place.path, "none.onnx"), { outputs: { a: "valence" } }))).toMatch(
      /none\.onnx cannot be read/,
    );
  });

  it("names the operator set of a file that ONNX Runtime here does not know, and says so of what is no such file", async () => {
    const path = await model("newer", [1, 3, 8, 8], [2, 3]);
    const { readFile } = await import("node:fs/promises");
    const bytes = await readFile(path);
    expect(onnxVersions(bytes)).toEqual({ ir: 10, opsets: { "": 21 } });
    // opset_import (field 8) with version (field 2) = 21.
    const at = bytes.indexOf(Buffer.from([0x10, 21]), bytes.lastIndexOf(0x42));
    bytes[at + 1] = 99;
    expect(onnxVersions(bytes)?.opsets).toEqual({ "": 99 });
    await writeFile(path, bytes);
    const spec = { outputs: { means: ["valence", "arousal", "confidence"] } };
    expect(await failing(openOnnxScorer(path, RUN, spec))).toMatch(
      // What ONNX Runtime knows is in its own words.
      /newer\.onnx cannot be opened[\s\S]*till opset \d+[\s\S]*The file has IR version 10 and opset 99\./,
    );
    await writeFile(path, "not a model");
    expect(await failing(openOnnxScorer(path, RUN, spec))).toMatch(/no ONNX file, or is cut short/);
  });

  it("names an output that is not finite", async () => {
    const path = await model("nan", [1, 3, 2, 2], [2, 3]);
    const spec = { input: { std: 1e-38, range: [0, 255] }, outputs: { means: ["valence", "arousal", { skip: 1 }] } };
    expect(await failing(score(path, [image(2, 2, 1)], spec))).toMatch(/output "means" holds Infinity/);
  });
});
