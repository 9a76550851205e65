import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { compile, type Value } from "../../src/compile/index.ts";
import { countOps, metadataOf } from "../../src/compile/onnx.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { initialise } from "../../src/nn/init.ts";
import { disposeParameters, toParameters } from "../../src/nn/parameters.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { openPredictor } from "../../src/systems/anclaf/predict.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";
import { sequenceCombiner, sequenceParameters } from "../../src/systems/anclaf/sequence.ts";
import { floats, nearly } from "../nn/sequences.ts";
import { temporary } from "../pipelines/temporary.ts";
import { formulaPixels } from "../systems/anclaf/formula.ts";
import { call } from "./call.ts";

const SYNTHETIC = { preset: "small", trainedOn: "synthetic faces", fold: "0 of 5" };

/** Calls `pipe export` and gives the file that it names. */
async function exported(...args: string[]): Promise<Uint8Array> {
  const output = path.join(await temporary(), "model.onnx");
  const { code, out, err } = await call(["export", ...args, "--preset", "small", "--output", output], false);
  expect([code, out], err).toEqual([0, `${output}\n`]);
  return readFile(output);
}

/** Runs a file in ONNX Runtime, with nothing of this project between. */
async function alone(file: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<Record<string, Value>> {
  const session = await ort.InferenceSession.create(file);
  const found = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(found).map(([name, { data, dims }]) => [name, { data: data as Float32Array, shape: dims }]),
  );
}

describe("pipe export anclaf-frame", () => {
  it("writes G, D and C as one file, which alone gives what the predictor gives and says what it is", async () => {
    const file = await exported("anclaf-frame", "--batch", "3");
    const pixels = formulaPixels(3, 128);
    const found = await alone(file, { pixels: new ort.Tensor("uint8", pixels, [3, 128, 128, 3]) });

    const { weights, digest } = await readCheckpoint(checkpointFor({ preset: "small" })!);
    await using predictor = openPredictor({
      ...{ sizes: presets.small, form: "onehot", weights, source: "bundled", batch: 2, keep: { latent: true } },
    });
    const { latent, quadrant, valence, arousal } = await predictor.predict(pixels);
    expect(Object.keys(found)).toEqual(["z", "q", "valence", "arousal"]);
    nearly(found.z!, { shape: [3, 68, 16, 16], data: latent }, 1e-4, "z");
    nearly(found.q!, { shape: [3, 4], data: quadrant }, 1e-4, "q");
    nearly(found.valence!, { shape: [3], data: valence }, 1e-4, "valence");
    nearly(found.arousal!, { shape: [3], data: arousal }, 1e-4, "arousal");
    expect(countOps(file).InstanceNormalization).toBe(15);
    const notes = metadataOf(file);
    expect(notes).toMatchObject({ ...SYNTHETIC, network: "anclaf-frame", zq: "onehot", sha256: digest });
    expect(JSON.parse(notes.metrics!)).toHaveProperty("ccc V");
  });

  it("takes the trained preset small where nothing else is named, and any batch", async () => {
    const output = path.join(await temporary(), "model.onnx");
    const { code, err } = await call(["export", "anclaf-frame", "--output", output], false);
    expect(code, err).toBe(0);
    expect(err).not.toContain("never trained");
    const file = await readFile(output);
    expect(metadataOf(file)).toMatchObject({
      ...SYNTHETIC,
      range: '{"valence":[-10,10],"arousal":[-10,10]}',
      "input.pixels": expect.stringMatching(/^uint8 \[batch, 128, 128, 3\]/),
    });
    for (const faces of [1, 5]) {
      const found = await alone(file, {
        pixels: new ort.Tensor("uint8", formulaPixels(faces, 128), [faces, 128, 128, 3]),
      });
      expect(found.z!.shape).toEqual([faces, 68, 16, 16]);
    }
  });

  it("says so of weights that were never trained, as every network does", async () => {
    const { err } = await call(
      ["export", "anclaf-generator", "--seed", "4", "--output", path.join(await temporary(), "g.onnx")],
      false,
    );
    expect(err).toMatch(/These weights were never trained/);
    const untrained = metadataOf(await exported("anclaf-discriminator", "--seed", "4"));
    expect(untrained).toMatchObject({ trainedOn: "nothing", weights: "untrained (seed 4)" });
  });
});

describe("pipe export anclaf-sequence", () => {
  const [windows, n, side, channels] = [2, 3, 16, 64];
  const weightsFor = (attention: string) =>
    initialise(sequenceParameters(presets.small, "none", attention === "concat" ? "concat" : "location"), 5);

  /** A checkpoint without Q whose notes are these. */
  async function checkpointWith(metadata: Record<string, string>, attention = "location"): Promise<string> {
    const file = path.join(await temporary(), "sequence.safetensors");
    await writeCheckpoint(file, weightsFor(attention), { metadata });
    return file;
  }

  const zq = Float32Array.from(floats(1, [windows, n, channels, side, side]));

  it.each(["none", "location", "concat"])(
    "with attention %s gives what the network gives window by window",
    async (attention) => {
      const checkpoint = await checkpointWith({ attention, trainedOn: "a formula" }, attention);
      const file = await exported("anclaf-sequence", "--checkpoint", checkpoint, "--batch", "2", "--n", "3");
      const shape = [windows, n, channels, side, side];
      const found = await alone(file, { zq: new ort.Tensor("float32", zq, shape) });

      const parameters = toParameters(weightsFor(attention));
      await using reference = compile(
        ({ zq }) => {
          const windows = tf.transpose(zq!, [0, 1, 3, 4, 2]) as tf.Tensor5D;
          const { affect, attention: seen } = sequenceCombiner(parameters, windows, {
            attend: attention !== "none",
            attention: attention === "concat" ? "concat" : "location",
          });
          return { affect, ...(seen && { attention: seen }) };
        },
        { name: "reference", engine: "js" },
      );
      const one = zq.length / windows;
      const rows = [];
      for (let i = 0; i < windows; i++)
        rows.push(
          await reference.run({ zq: { data: zq.slice(i * one, (i + 1) * one), shape: [1, ...shape.slice(1)] } }),
        );
      disposeParameters(parameters);
      expect(Object.keys(found).sort()).toEqual(Object.keys(rows[0]!).sort());
      expect(Object.keys(found).length).toBe(attention === "none" ? 1 : 2);
      for (const [name, { shape }] of Object.entries(rows[0]!)) {
        const data = Float32Array.from(rows.flatMap((row) => [...row[name]!.data]));
        nearly(found[name]!, { shape: [windows, ...shape.slice(1)], data }, 1e-4, name);
      }
      expect(metadataOf(file)).toMatchObject({
        attention,
        n: "3",
        zq: "none",
        preset: "small",
        trainedOn: "a formula",
      });
    },
  );

  it("refuses what it cannot know, and leaves nothing behind", async () => {
    const folder = await temporary();
    const tried = (...args: string[]) =>
      call(["export", ...args, "--preset", "small", "--output", path.join(folder, "no.onnx")], false);
    const silent = await checkpointWith({});
    const large = (name: string) =>
      call(["export", name, "--preset", "paper", "--output", path.join(folder, "no.onnx")], false);
    expect((await large("anclaf-sequence")).err).toContain("Name a checkpoint, or a seed");
    expect((await large("anclaf-frame")).err).toMatch(/No trained weights .* preset paper[\s\S]*--seed N/);
    expect((await tried("anclaf-sequence", "--checkpoint", silent)).err).toContain("whether it was trained to attend");
    expect((await tried("anclaf-sequence", "--seed", "1", "--attention", "both")).err).toContain('attention "both"');
    expect((await tried("anclaf-sequence", "--seed", "1", "--n", "0")).err).toContain("--n takes a whole number");
    const concat = await checkpointWith({}, "concat");
    expect((await tried("anclaf-sequence", "--checkpoint", concat, "--attention", "location")).err).toContain(
      'not the parameters of the attention "location"',
    );
    expect((await tried("anclaf-sequence", "--checkpoint", silent, "--attention", "concat")).err).toContain(
      "missing: combiner.attention.W",
    );
    expect((await tried("anclaf-sequence", "--checkpoint", checkpointFor({ preset: "small" })!)).err).toContain(
      "missing: combiner.lstm.weight_ih_l0",
    );
    expect((await tried("anclaf-frame", "--checkpoint", silent)).err).toContain("missing: generator.e1.conv.weight");
    expect((await tried("anclaf-frame", "--n", "4")).err).toContain("anclaf-frame takes no --n");
    expect((await tried("anclaf-frame", "--encoder", silent)).err).toContain("anclaf-frame takes no --encoder");
    expect((await tried("anclaf-frames")).err).toContain("Did you mean anclaf-frame?");
    expect(await readdir(folder)).toEqual([]);
    expect(tf.memory().numTensors).toBe(0);
    // A file with parameters that concat alone has need not say it; and C-S may be run with them.
    expect(metadataOf(await exported("anclaf-sequence", "--checkpoint", concat))).toMatchObject({
      attention: "concat",
    });
    const alone = await exported("anclaf-sequence", "--checkpoint", concat, "--attention", "none");
    expect(metadataOf(alone)).toMatchObject({ attention: "none" });
    // As stage 2 calls them; C-S has parameters for an attention that it does not have.
    const s = await checkpointWith({ variant: "s", attention: "location", n: "4" });
    expect(metadataOf(await exported("anclaf-sequence", "--checkpoint", s))).toMatchObject({
      attention: "none",
      n: "4",
    });
    const uniform = await checkpointWith({ variant: "uniform" });
    expect((await tried("anclaf-sequence", "--checkpoint", uniform)).err).toContain('variant "uniform"');
    const attending = await exported("anclaf-sequence", "--checkpoint", silent, "--attention", "location");
    expect(metadataOf(attending)).toMatchObject({
      trainedOn: "unknown: the checkpoint does not say",
      attention: "location",
    });
  });
});
