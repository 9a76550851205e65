import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "../../../src/compile/index.ts";
import { onnxVersions } from "../../../src/compile/onnx-versions.ts";
import { PipeError } from "../../../src/errors.ts";
import { toFloat16 } from "../../../src/float16.ts";
import type { Image } from "../../../src/records.ts";
import { checkOnnx, onnxDigests, openOnnxScorer } from "../../../src/systems/onnx/scoring.ts";
import type { FaceScore } from "../../../src/systems/scoring.ts";
import { folder } from "../../cache/helpers.ts";
import { attribute, node, onnxModel, TYPES, tensor, value } from "../../compile/write-onnx.ts";

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

  const FACE = value("face", "f32", ["n", 3, 4, 4]);
  const READ = { outputs: { va: "valence_arousal" } };
  const weights = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i + 1) / 100);
  const four = [1, 2, 3, 4].map((seed) => image(4, 4, seed));

  /** Valence and arousal of a face by {@link weights}, channels first. */
  function affectOf({ data }: Image): number[] {
    const sums = [0, 0];
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < 16; i++)
        for (const k of [0, 1]) sums[k]! += (data[i * 3 + c]! / 255) * weights[(c * 16 + i) * 2 + k]!;
    return sums;
  }

  /** A linear model whose graph has `batch` built in, though it declares any. */
  async function baked(name: string, batch: number, dtype: "f32" | "f16" = "f32", given = weights as ArrayBufferView) {
    const path = join(place.path, `${name}.onnx`);
    const file = onnxModel({
      nodes: [node("Reshape", ["face", "shape"], ["flat"]), node("MatMul", ["flat", "w"], ["va"])],
      constants: [
        tensor("w", [48, 2], dtype, given),
        tensor("shape", [2], "i64", BigInt64Array.of(BigInt(batch), 48n)),
      ],
      inputs: [value("face", dtype, ["n", 3, 4, 4])],
      outputs: [value("va", dtype, ["n", 2])],
    });
    await writeFile(path, file);
    return path;
  }

  it("with a batch of one built in is given one face at a time, and says so", async () => {
    const path = await baked("one", 1);
    await using scorer = await openOnnxScorer(path, RUN, READ);
    expect(scorer.notes).toEqual([expect.stringMatching(/^one\.onnx is given one face at a time.*it fails with more/)]);
    const scores = await scorer.encode(four);
    for (const [i, face] of four.entries()) {
      const [valence, arousal] = affectOf(face);
      expect(scores[i]!.valence).toBeCloseTo(valence!, 5);
      expect(scores[i]!.arousal).toBeCloseTo(arousal!, 5);
    }
  });

  it("with another batch built in needs that batch, and is else refused before any face with the reason", async () => {
    const path = await baked("three", 3);
    await using scorer = await openOnnxScorer(path, RUN, READ);
    expect([scorer.notes, (await scorer.encode(four)).length]).toEqual([[], 4]);
    const words = await failing(openOnnxScorer(path, { ...RUN, batch: 2 }, READ));
    expect(words).toMatch(/three\.onnx fails on a trial face of 4 × 4[\s\S]*Reshape[\s\S]*predict-affect\.batch=N/);
    await expect(checkOnnx(path, { ...RUN, batch: 2 }, READ)).rejects.toThrow(PipeError);
  });

  it("whose answer for a face changes with the faces beside it is given one at a time", async () => {
    const path = join(place.path, "mixing.onnx");
    const file = onnxModel({
      nodes: [
        node("ReduceMax", ["face"], ["most"], [attribute.int("keepdims", 0)]),
        node("Flatten", ["face"], ["flat"]),
        node("Div", ["flat", "most"], ["scaled"]),
        node("MatMul", ["scaled", "w"], ["va"]),
      ],
      constants: [tensor("w", [48, 2], "f32", weights)],
      inputs: [FACE],
      outputs: [value("va", "f32", ["n", 2])],
    });
    await writeFile(path, file);
    await using scorer = await openOnnxScorer(path, RUN, READ);
    expect(scorer.notes[0]).toMatch(/its output "va" for one row changes with the rows beside it/);
    const together = await scorer.encode(four);
    for (const [i, face] of four.entries()) expect((await scorer.encode([face]))[0]).toEqual(together[i]);
  });

  it("of float16 is fed and read as numbers", async () => {
    const halves = Uint16Array.from(weights, toFloat16);
    const scores = await score(await baked("half", -1, "f16", halves), four, READ);
    for (const [i, face] of four.entries()) {
      const [valence, arousal] = affectOf(face);
      expect(scores[i]!.valence).toBeCloseTo(valence!, 3);
      expect(scores[i]!.arousal).toBeCloseTo(arousal!, 3);
    }
  });

  it("gives whole numbers and doubles as the spec names them, and text that no part reads is left alone", async () => {
    const path = join(place.path, "types.onnx");
    const file = onnxModel({
      nodes: [
        node("Flatten", ["face"], ["flat"]),
        node("MatMul", ["flat", "w"], ["two"]),
        node("Cast", ["two"], ["fine"], [attribute.int("to", TYPES.f64)]),
        node("ArgMax", ["two"], ["id"], [attribute.int("axis", 1)]),
        node("Identity", ["words"], ["said"]),
      ],
      constants: [tensor("w", [48, 2], "f32", weights), { name: "words", dims: [0], data_type: TYPES.text }],
      inputs: [FACE],
      outputs: [value("fine", "f64", ["n", 2]), value("id", "i64", ["n", 1]), value("said", "text", [0])],
    });
    await writeFile(path, file);
    const scores = await score(path, four, { outputs: { fine: "valence_arousal", id: "confidence" } });
    for (const [i, face] of four.entries()) {
      const [valence, arousal] = affectOf(face);
      expect(scores[i]!.valence).toBeCloseTo(valence!, 5);
      expect(scores[i]!.confidence).toBe(arousal! > valence! ? 1 : 0);
    }
  });

  it("whose width is open is measured by the trial", async () => {
    const path = join(place.path, "wide.onnx");
    const file = onnxModel({
      nodes: [node("Flatten", ["face"], ["flat"])],
      inputs: [value("face", "f32", ["n", 3, "height", 4])],
      outputs: [value("flat", "f32", ["n", "width"])],
    });
    await writeFile(path, file);
    expect(
      await failing(openOnnxScorer(path, RUN, { input: { size: 4 }, outputs: { flat: "valence_arousal" } })),
    ).toMatch(/"flat" came as \[1, 48\], and the spec reads 2 numbers for each of 1 faces/);
  });

  it("that is missing is named before its spec, which is missing too", async () => {
    expect(await failing(onnxDigests(join(place.path, "nowhere.onnx")))).toMatch(
      /nowhere\.onnx cannot be read: it does not exist/,
    );
  });

  it("names an output that is not finite", async () => {
    const path = await model("nan", [1, 3, 2, 2], [2, 3]);
    const spec = { input: { std: 1e-38, range: [0, 255] }, outputs: { means: ["valence", "arousal", { skip: 1 }] } };
    expect(await failing(score(path, [image(2, 2, 1)], spec))).toMatch(/output "means" holds Infinity/);
  });
});
