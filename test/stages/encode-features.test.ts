import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { LatentWriter } from "../../src/cache/writer.ts";
import { compile } from "../../src/compile/index.ts";
import { digestOf, type Json } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import type { Activation } from "../../src/nn/layers.ts";
import { toParameters } from "../../src/nn/parameters.ts";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import type { FoldedClip, Latent, Source } from "../../src/records.ts";
import { writeResult } from "../../src/report/training-result.ts";
import { looseContext } from "../../src/stages/context.ts";
import encodeFeatures from "../../src/stages/encode-features.ts";
import { stages } from "../../src/stages/index.ts";
import readLatents from "../../src/stages/read-latents.ts";
import { combinerEncoder, combinerParameters } from "../../src/systems/anclaf/combiner.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";
import { temporary } from "../pipelines/temporary.ts";

const SHAPE = [68, 16, 16];
const RANGE = { valence: [-10, 10], arousal: [-10, 10] };
const bundled = checkpointFor({ preset: "small" })!;
const clip: FoldedClip = {
  id: "c",
  group: "g",
  fold: 1,
  folds: 3,
  part: "test",
  digest: digestOf("split"),
  labelled: 3,
};
let digest: string;
beforeAll(async () => {
  ({ digest } = await readCheckpoint(bundled));
});

/** Four frames, the second without a face. */
function latents(shape = SHAPE): Latent[] {
  const random = seeded(3);
  return [0, 1, 2, 3].map((index) => ({
    kind: "latent",
    index,
    pts: index * 40_000,
    status: index === 1 ? "no_face" : "ok",
    track: index === 1 ? -1 : 0,
    shot: 0,
    box: index === 1 ? null : { x: 1, y: 2, width: 3, height: 4 },
    score: 1,
    landmarks: index === 1 ? null : Float32Array.of(1, 2),
    ...(index !== 1 && { label: { valence: index, arousal: 1 - index } }),
    z:
      index === 1
        ? null
        : Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random.uniform(-1, 1))),
    shape,
    q: index === 1 ? null : Float32Array.of(0.1, 0.2, 0.3, 0.4),
  }));
}

/** An entry as encode-latents would have made it with a model. */
async function store(
  output: string,
  { model = digest as string | null, clip = undefined as FoldedClip | undefined, shape = SHAPE } = {},
) {
  const keyParts = {
    source: digestOf("clip"),
    steps: [
      {
        stage: "encode-latents",
        version: 1,
        options: { preset: "small" },
        models: model === null ? {} : { anclaf: model },
      },
    ],
  };
  const facts: Record<string, Json> = { range: RANGE, weights: "checkpoint", ...(clip && { clip: { ...clip } }) };
  const ledger = new Ledger();
  await using writer = await LatentWriter.open({
    output,
    source: { name: "clip.mp4", bytes: 9, digest: digestOf("clip") },
    key: digestOf(keyParts),
    keyParts,
    facts,
    dtype: "float32",
  });
  for (const latent of latents(shape)) {
    for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
    await writer.append(latent);
    ledger.row(latent.status);
  }
  await writer.publish({ verdict: "complete", counts: ledger.counts });
}

async function extract(input: string, output: string, options: Record<string, Json> = {}) {
  const text = JSON.stringify({
    extract: {
      about: "…",
      steps: [
        { "read-latents": { input } },
        { "encode-features": { threads: 1, batch: 2, ...options } },
        { "cache-latents": { output, dtype: "float32" } },
      ],
    },
  });
  return run(bind(parsePipelines(text, "pipelines.yaml", stages).pipelines.extract!, stages, {}, []), { stages });
}

async function* none(): AsyncGenerator<never> {}

async function stored(input: string): Promise<{ records: Latent[]; facts: Record<string, Json> }> {
  const tools = { signal: new AbortController().signal, digest: async () => "", note() {} };
  const options = readLatents.options.parse({ input });
  const records: Latent[] = [];
  let facts: Record<string, Json> = {};
  for await (const source of readLatents.sources!(options, tools)) {
    await using context = looseContext({ source: source as Source });
    for await (const one of readLatents(options).run(context)(none())) records.push(one);
    facts = context.facts;
  }
  return { records, facts };
}

/** The encoder by itself, in TensorFlow.js. */
async function oracle(): Promise<Float32Array[]> {
  const { weights } = await readCheckpoint(bundled);
  const names = combinerParameters(presets.small, "onehot").map(({ name }) => name);
  const parameters = toParameters(new Map(names.map((name) => [name, weights.get(name)!])));
  await using encoder = compile(
    ({ zq }) => ({ x: combinerEncoder(parameters, tf.transpose(zq!, [0, 2, 3, 1]) as Activation) }),
    { name: "oracle", engine: "js" },
  );
  const found: Float32Array[] = [];
  for (const { z } of latents())
    if (z) found.push((await encoder.run({ zq: { data: z, shape: [1, ...SHAPE] } })).x!.data as Float32Array);
  for (const parameter of parameters.values()) parameter.dispose();
  return found;
}

describe("features", () => {
  test("are the trained encoder's; rows, labels and facts stay as they were; a second run encodes nothing", async () => {
    const [input, output] = [join(await temporary(), "z"), join(await temporary(), "x")];
    await store(input);
    const tensors = tf.memory().numTensors;
    expect((await extract(input, output)).report.items).toMatchObject([{ status: "done" }]);
    expect(tf.memory().numTensors).toBe(tensors);
    const { records, facts } = await stored(output);
    const expected = await oracle();
    expect(records.map(({ z: _, place: __, shape: ___, ...rest }) => rest)).toEqual(
      latents().map(({ z: _, shape: __, ...rest }) => rest),
    );
    const features = records.flatMap(({ z }) => (z ? [z] : []));
    expect(features.map(({ length }) => length)).toEqual([256, 256, 256]);
    for (const [i, own] of features.entries())
      expect(Math.max(...own.map((x, k) => Math.abs(x - expected[i]![k]!)))).toBeLessThan(1e-4);
    expect(facts).toMatchObject({
      range: RANGE,
      weights: "checkpoint",
      features: expect.stringContaining(digest.slice(0, 12)),
    });
    expect((await extract(input, output)).report.items).toMatchObject([{ status: "cached" }]);
  });

  test("of latents that another model made are refused, with the field", async () => {
    const [input, output] = [join(await temporary(), "z"), join(await temporary(), "x")];
    await store(input, { model: "a".repeat(64) });
    const { report } = await extract(input, output);
    expect(report.items[0]).toMatchObject({
      status: "failed",
      reason: expect.stringContaining(
        `encode-latents.models.anclaf is aaaaaaaaaaaa where ${digest.slice(0, 12)} is wanted`,
      ),
    });
    const untrained = join(await temporary(), "z");
    await store(untrained, { model: null });
    expect((await extract(untrained, output)).report.items[0]!.reason).toContain("is none (untrained) where");
  });

  test("of another preset's latents are refused", async () => {
    const [input, output] = [join(await temporary(), "z"), join(await temporary(), "x")];
    await store(input, { shape: [68, 8, 8] });
    expect((await extract(input, output)).report.items[0]!.reason).toContain(
      "have the shape [68, 8, 8], not [68, 16, 16]",
    );
  });

  test("of a fold's clip are by its fold's model", async () => {
    const [input, output, models] = [join(await temporary(), "z"), join(await temporary(), "x"), await temporary()];
    const folder = join(models, "fold-1");
    await mkdir(folder);
    const { weights } = await readCheckpoint(bundled);
    const metadata = { fold: "1 of 3", data: clip.digest, preset: "small" };
    const own = await writeCheckpoint(join(folder, "model.safetensors"), weights, { metadata });
    const source = { name: "synth/fold-1", digest: clip.digest };
    const about = { key: "k", keyParts: {}, store: "", data: "", metrics: {}, facts: {} };
    await writeResult(folder, { ...about, source, fold: 1, folds: 3 }, ["model.safetensors"]);
    await store(input, { clip, model: own });
    expect((await extract(input, output, { models })).report.items).toMatchObject([{ status: "done" }]);
    const { records, facts } = await stored(output);
    expect(records.flatMap(({ z }) => z?.length ?? [])).toEqual([256, 256, 256]);
    expect(facts.clip).toEqual(clip);

    const others = join(await temporary(), "z");
    await store(others, { clip });
    expect((await extract(others, output, { models })).report.items[0]!.reason).toContain("are not by");
    const none = await extract(input, join(await temporary(), "y"), { models: join(models, "absent") });
    expect(none.report.items[0]!.reason).toContain("no finished training of fold 1");
  });

  test("need the latents' values, and latents from a cache", async () => {
    const input = join(await temporary(), "z");
    await store(input);
    const tools = { signal: new AbortController().signal, digest: async () => "", note() {} };
    const options = readLatents.options.parse({ input, values: false });
    for await (const source of readLatents.sources!(options, tools)) {
      await using context = looseContext({ source: source as Source });
      const empty = encodeFeatures({ threads: 1 }).run(context)(readLatents(options).run(context)(none()));
      await expect(empty.next()).rejects.toThrow("came without their values");
      await using loose = looseContext({ source: { ...(source as Source), path: await temporary() } });
      await expect(encodeFeatures({}).run(loose)(none()).next()).rejects.toThrow("nobody knows what made its latents");
    }
  });
});
