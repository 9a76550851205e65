import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import { initialise } from "../../src/nn/init.ts";
import type { Crop, Latent, Status } from "../../src/records.ts";
import type { Context } from "../../src/stages/define.ts";
import encodeLatents from "../../src/stages/encode-latents.ts";
import { type ImageEncoder, openEncoder } from "../../src/systems/anclaf/latents.ts";
import { discriminatorParameters, generatorParameters } from "../../src/systems/anclaf/networks.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";

const SIDE = 128;

describe("rows", () => {
  test("keep their order and words; what is not ok has no z; batches reach across frames", async () => {
    const statuses: Status[] = ["no_face", "ok", "ok", "low_score", "ok", "too_small", "ok", "ok", "no_face"];
    const crops = statuses.map((status, i) => crop(i, status));
    const fake = fakeEncoder();
    const { latents } = await encode(crops, { batch: 2, zq: "none", preset: "small" }, fake);
    expect(latents).toEqual(
      crops.map(({ image, frame: _, ...subject }) => ({
        ...subject,
        kind: "latent",
        z: image && Float32Array.of(image.data[0]!),
        shape: [64, 16, 16],
        q: image && Float32Array.of(image.data[0]!, 0, 0, 0),
      })),
    );
    expect(fake.batches).toEqual([2, 2, 1]);
  });

  test("none, and none that is ok", async () => {
    const fake = fakeEncoder();
    expect((await encode([], {}, fake)).latents).toEqual([]);
    expect((await encode([crop(0, "no_face")], {}, fake)).latents).toMatchObject([
      { status: "no_face", z: null, q: null },
    ]);
    expect(fake.batches).toEqual([]);
  });

  test("an abort stops before the next batch and closes what was opened", async () => {
    const fake = fakeEncoder();
    const stop = new AbortController();
    const crops = Array.from({ length: 9 }, (_, i) => crop(i, "ok"));
    const given: number[] = [];
    const loop = encode(crops, { batch: 2 }, fake, stop.signal, (latent) => {
      given.push(latent.index);
      if (latent.index === 1) stop.abort(new RangeError("stopped"));
    });
    await expect(loop).rejects.toThrow("stopped");
    expect(given).toEqual([0, 1, 2, 3].slice(0, given.length));
    expect(fake.batches.length).toBeLessThanOrEqual(2);
    expect(fake.closed).toBe(1);
  });
});

describe("with ANCLaF itself", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "encode-latents-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("untrained: said once, the last part-filled batch gives what a full one gives, every tensor is freed", async () => {
    const before = tf.memory().numTensors;
    const crops = [crop(0, "ok"), crop(1, "no_face"), crop(2, "ok"), crop(3, "ok")];
    const { latents, facts, notes } = await encode(crops, { preset: "small", seed: 7, batch: 2 });
    expect(facts).toMatchObject({
      weights: "untrained (seed 7)",
      engine: { name: expect.stringMatching(/^(onnx|tensorflow|js)$/), why: expect.stringMatching(/\w/) },
    });
    expect(notes.filter((note) => note.includes("untrained (seed 7)"))).toHaveLength(1);
    expect(tf.memory().numTensors).toBe(before);
    const [first, none, second, third] = latents;
    expect(first).toMatchObject({ shape: [68, 16, 16], status: "ok" });
    expect(none).toMatchObject({ shape: [68, 16, 16], status: "no_face", z: null });
    for (const { z, q } of [first!, second!, third!]) {
      expect(z).toHaveLength(68 * 16 * 16);
      // A kept row may not keep its whole batch alive.
      expect(z!.buffer.byteLength).toBe(z!.byteLength);
      expect(q!.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      expect(new Set(z!.slice(-256))).toEqual(new Set([q![3]]));
    }
    expect(first!.z).not.toEqual(second!.z);

    const other = await encode([crops[3]!, crops[0]!], { preset: "small", seed: 7, batch: 2 });
    expect(other.latents[0]!.z).toEqual(third!.z);
    expect(other.latents[1]!.z).toEqual(first!.z);
  });

  test("with a checkpoint: its digest is said, and it is the model that the key depends on", async () => {
    const checkpoint = join(folder, "small.safetensors");
    const specs = [...generatorParameters(presets.small), ...discriminatorParameters(presets.small)];
    const digest = await writeCheckpoint(checkpoint, initialise(specs, 7));
    const { latents, facts, notes } = await encode([crop(0, "ok")], { preset: "small", checkpoint });
    expect(facts.weights).toBe(`checkpoint ${digest.slice(0, 12)}`);
    expect(notes).toEqual([]);
    expect(await encodeLatents.models!(optionsOf({ checkpoint }))).toEqual({ anclaf: digest });
    expect(encodeLatents.runtime).toContain("checkpoint");
    const seeded = await encode([crop(0, "ok")], { preset: "small", seed: 7 });
    expect(latents[0]!.z).toEqual(seeded.latents[0]!.z);
  });

  test("a checkpoint of another preset is refused", async () => {
    const checkpoint = join(folder, "small.safetensors");
    await expect(encode([crop(0, "ok")], { preset: "paper", checkpoint })).rejects.toThrow(
      /small\.safetensors \(preset paper\) does not fit the network:\n {2}missing: discriminator\.c6\.weight \[512, 256, 4, 4\]/,
    );
  });

  test("a checkpoint that is not there is refused before any data flows", async () => {
    const models = encodeLatents.models!(optionsOf({ checkpoint: join(folder, "absent") }));
    await expect(models).rejects.toThrow(PipeError);
    await expect(models).rejects.toThrow(/absent: the checkpoint does not exist/);
  });

  test("crops of another size are refused with both sizes", async () => {
    const odd = { ...crop(0, "ok"), image: { width: 64, height: 96, data: new Uint8Array(64 * 96 * 3) } };
    const loop = encode([odd], { preset: "small" });
    await expect(loop).rejects.toThrow(PipeError);
    await expect(loop).rejects.toThrow(/128×128 pixels; this one is 64×96/);
  });

  test("an encoder refuses more images than its batch", async () => {
    await using encoder = await openEncoder({ preset: "small", form: "none", batch: 1, engine: "js" });
    const image = crop(0, "ok").image!;
    await expect(encoder.encode([image, image])).rejects.toThrow(/1/);
  });
});

test("the checkpoint that comes with the package counts as a model; untrained weights are none", async () => {
  const { digest, metadata } = await readCheckpoint("data/models/anclaf-small.safetensors");
  expect(metadata.trainedOn).toBe("synthetic faces");
  expect(await encodeLatents.models!(optionsOf({}))).toEqual({ anclaf: digest });
  expect(await encodeLatents.models!(optionsOf({ seed: 1 }))).toEqual({});
  expect(await encodeLatents.models!(optionsOf({ preset: "paper" }))).toEqual({});
  const { facts, notes } = await encode([crop(0, "ok")], {});
  expect(facts.weights).toBe(`checkpoint ${digest.slice(0, 12)}, trained on synthetic faces`);
  expect(notes).toEqual([]);
});

test("a wrong option is refused when the stage is called", () => {
  expect(() => encodeLatents({ preset: "huge" as "paper" })).toThrow(/paper/);
  expect(() => encodeLatents({ batch: 0 })).toThrow();
  expect(() => encodeLatents({ checkpont: "x" } as object)).toThrow(/checkpont/);
});

type Options = Parameters<typeof encodeLatents>[0];

function optionsOf(options: Options) {
  return encodeLatents.options.parse(options);
}

/** Runs the stage as a runner would: shared things are opened once and closed at the end. */
async function encode(
  crops: readonly Crop[],
  options: Options,
  fake?: ImageEncoder,
  signal = new AbortController().signal,
  see: (latent: Latent) => void = () => {},
) {
  const notes: string[] = [];
  const facts: Record<string, Json> = {};
  const opened = new Map<string, AsyncDisposable>();
  const context: Context = {
    signal,
    drain: new AbortController().signal,
    source: { path: "/x", name: "x", bytes: 0, digest: "" },
    key: "",
    keyParts: null,
    ledger: new Ledger(),
    verdict: () => {},
    ending: null,
    facts,
    note: (message) => notes.push(message),
    warn: (message) => notes.push(message),
    standing: () => {},
    async shared<T extends AsyncDisposable>(name: string, open: () => T | Promise<T>): Promise<T> {
      const thing = (opened.get(name) as T | undefined) ?? (fake as unknown as T | undefined) ?? (await open());
      opened.set(name, thing);
      return thing;
    },
  };
  const latents: Latent[] = [];
  try {
    const input = async function* () {
      yield* crops;
    };
    for await (const latent of encodeLatents(options).run(context)(input())) {
      latents.push(latent);
      see(latent);
    }
  } finally {
    for (const thing of opened.values()) await thing[Symbol.asyncDispose]();
  }
  return { latents, facts, notes };
}

/** z and q start with the image's first byte. */
function fakeEncoder() {
  const fake = {
    batches: [] as number[],
    closed: 0,
    digest: "",
    weights: "untrained (seed 1)",
    engine: { name: "js", provider: null, why: "a test" },
    shape: [64, 16, 16],
    async encode(images) {
      fake.batches.push(images.length);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return images.map(({ data }) => ({ z: Float32Array.of(data[0]!), q: Float32Array.of(data[0]!, 0, 0, 0) }));
    },
    async [Symbol.asyncDispose]() {
      fake.closed += 1;
    },
  } satisfies ImageEncoder & { batches: number[]; closed: number };
  return fake;
}

function crop(index: number, status: Status): Crop {
  const ok = status === "ok";
  const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (index * 31 + i * (index + 3) + (i >> 7)) % 256);
  return {
    kind: "crop",
    index,
    pts: index * 40_000,
    status,
    track: ok ? index % 2 : -1,
    shot: 0,
    box: ok ? { x: index, y: 1, width: 50, height: 60 } : null,
    score: ok ? 0.9 : 0,
    landmarks: ok ? Float32Array.of(1, 2, index, 4) : null,
    image: ok ? { width: SIDE, height: SIDE, data } : null,
    frame: { width: 640, height: 480 },
  };
}
