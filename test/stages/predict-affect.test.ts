import { expect, it } from "vitest";
import { readCheckpoint } from "../../src/nn/checkpoint.ts";
import { seeded } from "../../src/random.ts";
import type { Crop, Prediction } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import predictAffect from "../../src/stages/predict-affect.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { openPredictor } from "../../src/systems/anclaf/predict.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";

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
