import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ParameterSpec } from "../../../src/nn/weights.ts";
import { combinerParameters } from "../../../src/systems/anclaf/combiner.ts";
import { discriminatorParameters, generatorParameters } from "../../../src/systems/anclaf/networks.ts";
import { openPredictor, type Predictor, type PredictorOptions } from "../../../src/systems/anclaf/predict.ts";
import { reconstructionScores } from "../../../src/systems/anclaf/reconstruction.ts";
import { drawnFaces } from "./faces.ts";
import { formulaPixels, formulaWeights } from "./formula.ts";
import oracle from "./oracle.json" with { type: "json" };

const { sizes, outputs } = oracle.tiny;
const specs: ParameterSpec[] = [
  ...generatorParameters(sizes),
  ...discriminatorParameters(sizes),
  ...combinerParameters(sizes, "onehot"),
];
const options: PredictorOptions = {
  ...{ sizes, form: "onehot", source: "the formula", batch: 4, threads: 1 },
  weights: formulaWeights(specs),
  range: { valence: [-10, 10], arousal: [0, 1] },
  keep: { latent: true, reconstruction: true },
};

describe("a predictor", () => {
  let predictor: Predictor;
  beforeAll(() => {
    predictor = openPredictor(options);
  });
  afterAll(() => predictor[Symbol.asyncDispose]());
  const face = sizes.image ** 2 * 3;

  test("gives PyTorch's numbers, scaled and native", async () => {
    const found = await predictor.predict(formulaPixels(2, sizes.image));
    const close = (a: ArrayLike<number>, b: readonly number[]) => {
      expect(a).toHaveLength(b.length);
      b.forEach((x, i) => {
        expect(Math.abs(a[i]! - x)).toBeLessThan(1e-4 * Math.max(...b.map(Math.abs)));
      });
    };
    close(found.affect, outputs.affect.values);
    close(found.quadrant, outputs.q.values);
    const plane = (sizes.image / 4) ** 2;
    close(found.latent.slice(0, 12 * plane), outputs.z.values.slice(0, 12 * plane));
    expect(found.latent).toHaveLength(2 * 16 * plane);
    expect(found.reconstruction).toHaveLength(2 * face);
    close(
      found.reconstruction.filter((_, i) => i % 3 === 0).slice(0, 256),
      outputs.reconstruction.values.slice(0, 256),
    );
    for (const i of [0, 1]) {
      expect(found.valence[i]).toBeCloseTo(10 * found.affect[i * 2]!, 4);
      expect(found.arousal[i]).toBeCloseTo(0.5 + found.affect[i * 2 + 1]! / 2, 4);
    }
  });

  test("a face alone is told what it is told among others, in whichever batch", async () => {
    const pixels = formulaPixels(9, sizes.image);
    const together = await predictor.predict(pixels);
    for (const i of [0, 3, 4, 8]) {
      const alone = await predictor.predict(pixels.slice(i * face, (i + 1) * face));
      for (const [name, data] of Object.entries(alone))
        expect(data, name).toEqual(
          together[name as keyof typeof together].slice(i * data.length, (i + 1) * data.length),
        );
    }
  });

  test("no faces, and a part of one", async () => {
    expect((await predictor.predict(new Uint8Array(0))).affect).toHaveLength(0);
    await expect(predictor.predict(new Uint8Array(face + 1))).rejects.toThrow(/no whole number of 16×16/);
  });

  test("keeps only what it is asked to", async () => {
    const { keep: _, range: __, ...plain } = options;
    await using own = openPredictor(plain);
    const { latent, reconstruction, affect, valence } = await own.predict(formulaPixels(1, sizes.image));
    expect([latent.length, reconstruction.length]).toEqual([0, 0]);
    expect(valence[0]).toBeCloseTo(affect[0]!, 6);
  });

  test("wrong weights, weights that are not finite, and tensors left behind", async () => {
    const before = memory().numTensors;
    const fewer = new Map(options.weights);
    fewer.delete("combiner.head.bias");
    expect(() => openPredictor({ ...options, weights: fewer })).toThrow(/the formula .*missing: combiner.head.bias/s);
    const broken = new Map(options.weights);
    broken.set("combiner.head.bias", { shape: [2], data: Float32Array.of(0, Number.NaN) });
    const own = openPredictor({ ...options, weights: broken });
    await expect(own.predict(formulaPixels(2, sizes.image))).rejects.toThrow(/face 0 of 2 is NaN/);
    await own[Symbol.asyncDispose]();
    expect(memory().numTensors).toBe(before);
  });
});

describe("reconstruction scores", () => {
  const faces = drawnFaces(7, 16);
  const settings = { indices: [1, 2, 6], seed: 3, batch: 2 };
  const identity = async (pixels: Uint8Array) => Float32Array.from(pixels, (x) => x / 127.5 - 1);

  test("of a network that changes nothing: as good as what it is given, in every way", async () => {
    const scores = await reconstructionScores(faces, identity, settings);
    expect(scores.map(({ kind }) => kind)).toEqual([
      "none",
      "downsample",
      "blur",
      "noise",
      "brightness",
      "grayscale",
      "occlusion",
    ]);
    for (const { kind, distorted, reconstructed, faces } of scores) {
      expect(faces).toBe(3);
      if (kind === "none") expect(distorted).toBe(Number.POSITIVE_INFINITY);
      else expect(reconstructed).toBeCloseTo(distorted, 2);
    }
    expect(scores.find(({ kind }) => kind === "occlusion")!.distorted).toBeLessThan(20);
  });

  test("of a network that paints all gray: the faces' own contrast", async () => {
    const gray = async (pixels: Uint8Array) => new Float32Array(pixels.length);
    const scores = await reconstructionScores(faces, gray, settings);
    const clean = new Uint8Array(3 * 16 * 16 * 3);
    await faces.read([1, 2, 6], clean);
    const mean = clean.reduce((sum, x) => sum + (x - 127.5) ** 2, 0) / clean.length;
    for (const { reconstructed } of scores) expect(reconstructed).toBeCloseTo(10 * Math.log10(255 ** 2 / mean), 6);
  });

  test("of a network that sees half the resolution: of blocks of 2×2 pixels", async () => {
    const halves = async (pixels: Uint8Array) => {
      const made = new Float32Array(pixels.length / 4);
      for (let face = 0; face < pixels.length / 768; face++)
        for (let y = 0; y < 16; y++)
          for (let x = 0; x < 16; x++)
            for (let c = 0; c < 3; c++)
              made[((face * 8 + (y >> 1)) * 8 + (x >> 1)) * 3 + c]! +=
                pixels[((face * 16 + y) * 16 + x) * 3 + c]! / 510;
      return made.map((value) => value - 1);
    };
    const scores = await reconstructionScores(faces, halves, settings);
    for (const { kind, distorted, reconstructed } of scores)
      if (kind === "none") expect(reconstructed).toBeGreaterThan(80);
      else expect(reconstructed).toBeCloseTo(distorted, 2);
  });

  test("do not depend on the batch, and can be stopped", async () => {
    const large = await reconstructionScores(faces, identity, { ...settings, batch: 64 });
    const small = await reconstructionScores(faces, identity, settings);
    large.forEach((score, i) => {
      expect(score.distorted === small[i]!.distorted || Math.abs(score.distorted - small[i]!.distorted) < 1e-9).toBe(
        true,
      );
    });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(reconstructionScores(faces, identity, { ...settings, signal })).rejects.toThrow("enough");
  });
});
