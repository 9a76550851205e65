import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { compile } from "../../src/compile/index.ts";
import { readCheckpoint } from "../../src/nn/checkpoint.ts";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { seeded } from "../../src/random.ts";
import type { Crop, Prediction } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import { stages } from "../../src/stages/index.ts";
import predictAffect from "../../src/stages/predict-affect.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { openPredictor } from "../../src/systems/anclaf/predict.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";
import { temporary } from "../pipelines/temporary.ts";

const SIDE = 128;

function crop(i: number, given: Partial<Crop> = {}): Crop {
  const random = seeded(i);
  return {
    kind: "crop",
    index: i >> 1,
    pts: (i >> 1) * 40_000,
    status: "ok",
    track: i % 2,
    shot: 0,
    box: { x: 1, y: 2, width: 50, height: 60 },
    score: 0.9,
    landmarks: Float32Array.of(10, 20, 40, 20, 25, 35, 15, 50, 35, 50),
    image: { width: SIDE, height: SIDE, data: Uint8Array.from({ length: SIDE * SIDE * 3 }, () => random.next() * 256) },
    frame: { width: 320, height: 240 },
    ...given,
  };
}

async function go(crops: readonly Crop[], options: Parameters<typeof predictAffect>[0] = {}) {
  const notes: string[] = [];
  await using context = looseContext({ note: (message) => notes.push(message) });
  const found: Prediction[] = [];
  const stage = predictAffect(options).run(context);
  for await (const each of stage(
    (async function* () {
      yield* crops;
    })(),
  ))
    found.push(each);
  return { found, facts: context.facts, notes };
}

it("says what the bundled model says of each face, rows without pixels passing through", async () => {
  const nobody = { status: "no_face", track: -1, box: null, score: 0, landmarks: null, image: null } as const;
  const crops = [crop(0), crop(1), crop(2, nobody), crop(4, { status: "too_small", image: null }), crop(6), crop(7)];
  const { found, facts, notes } = await go(crops, { batch: 3 });
  const path = checkpointFor({ preset: "small" })!;
  await using predictor = openPredictor({
    sizes: presets.small,
    form: "onehot",
    weights: (await readCheckpoint(path)).weights,
    source: path,
    range: { valence: [-10, 10], arousal: [-10, 10] },
    batch: 2,
  });
  for (const [i, { status, image, ...row }] of crops.entries()) {
    const { valence, arousal, quadrant, confidence, quality, entropy } = found[i]!;
    expect(found[i]).toMatchObject({ kind: "prediction", status, index: row.index, track: row.track, box: row.box });
    expect(entropy).toBeNull();
    if (image === null) {
      expect([valence, arousal, quadrant, confidence, quality, found[i]!.image]).toEqual(Array(6).fill(null));
      continue;
    }
    const alone = await predictor.predict(image.data);
    expect(valence).toBeCloseTo(alone.valence[0]!, 4);
    expect(arousal).toBeCloseTo(alone.arousal[0]!, 4);
    expect(confidence).toBeCloseTo(Math.max(...alone.quadrant), 4);
    expect([...quadrant!].reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(quality).toMatchObject({ size: 50 });
    expect(quality!.yaw).toBeCloseTo(0, 6);
  }
  expect(facts).toMatchObject({
    scale: { valence: [-10, 10], arousal: [-10, 10] },
    model: expect.stringMatching(/anclaf-frame \(small\), checkpoint [0-9a-f]{12}, trained on/),
  });
  expect(notes.join()).toMatch(/drawn faces alone/);
  // Alone as among others, whatever the batch.
  const single = await go([crops[4]!], { batch: 3 });
  expect(single.found[0]!.valence).toBe(found[4]!.valence);
  expect((await go([])).found).toEqual([]);
});

it("looks at a model of somebody's own before any video: what it has, and what is needed", async () => {
  const folder = await temporary();
  const file = join(folder, "own.onnx");
  {
    await using model = compile(({ face }) => ({ said: tf.mean(face!, [2, 3]) }), { name: "own", engine: "onnx" });
    await writeFile(file, model.toOnnx({ face: { shape: [2, 3, 8, 8], dtype: "float32" } }));
  }
  const asked = (spec: object) => {
    const text = JSON.stringify({
      score: {
        about: "…",
        steps: [{ "extract-frames": {} }, { "crop-faces": {} }, { "predict-affect": {} }, { "write-scores": {} }],
      },
    });
    const sets = [
      `predict-affect.model=${file}`,
      `predict-affect.spec=${JSON.stringify(spec)}`,
      `write-scores.output=${folder}/out`,
    ];
    const input = `extract-frames.input=["${join(packageRoot, "data/samples/one-face.mp4")}"]`;
    return run(bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.score!, stages, {}, [...sets, input]), {
      stages,
    });
  };
  await expect(asked({ outputs: { said: "valence_arousal" } })).rejects.toMatchObject({
    message: expect.stringMatching(/own\.onnx: its output "said" has 3 numbers a face, and the spec reads 2\.$/),
    hint: "The file's outputs: said float32 [2, 3].",
  });
  await expect(asked({ input: { size: [9, 8] }, outputs: { said: [{ skip: 3 }] } })).rejects.toMatchObject({
    message: expect.stringMatching(/input\.size asks for a height of 9, and the file takes 8\.$/),
    hint: expect.stringContaining("The file's inputs: face float32 [2, 3, 8, 8]."),
  });
  await writeFile(file, (await readFile(file)).subarray(0, 100));
  await expect(asked({ outputs: { said: [{ skip: 3 }] } })).rejects.toThrow(
    /own\.onnx cannot be opened as an ONNX model/,
  );
  expect(JSON.parse(await readFile(join(folder, "out/report.json"), "utf8"))).toMatchObject({ items: [] });
});

it("refuses crops of another size, and models that it does not know, and says which there are", async () => {
  const small = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) };
  await expect(go([crop(0, { image: small })])).rejects.toThrow(/crops of 128×128 pixels; this one is 64×64/);
  const named = (model: string) => predictAffect.models!(predictAffect.options.parse({ model }));
  await expect(named("anclaf-frmae")).rejects.toMatchObject({
    message: 'There is no model "anclaf-frmae".',
    hint: expect.stringMatching(/anclaf-frame.*\.onnx/),
  });
  await expect(predictAffect.models!(predictAffect.options.parse({ preset: "paper" }))).rejects.toThrow(
    /No weights of anclaf-frame come with this package/,
  );
  expect(await named("anclaf-frame")).toEqual({ "anclaf-frame": expect.stringMatching(/^[0-9a-f]{64}$/) });
});
