import { cp, mkdir, mkdtemp, readFile, rm, stat, truncate, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEntry } from "../../src/cache/entry.ts";
import { entryFolders } from "../../src/cache/layout.ts";
import { openFaceStore, rowsOf } from "../../src/datasets/face-store.ts";
import { readDataset } from "../../src/datasets/read.ts";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import { digestOf } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { exportWeights } from "../../src/nn/fit/export.ts";
import { initialise } from "../../src/nn/init.ts";
import { bind, load, plan, run } from "../../src/pipelines/index.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import type { Crop, Latent, Source } from "../../src/records.ts";
import { writeResult } from "../../src/report/training-result.ts";
import { looseContext } from "../../src/stages/context.ts";
import encodeLatents from "../../src/stages/encode-latents.ts";
import { stages } from "../../src/stages/index.ts";
import readFaces from "../../src/stages/read-faces.ts";
import readLatents from "../../src/stages/read-latents.ts";
import splitFaces from "../../src/stages/split-faces.ts";
import { openEncoder } from "../../src/systems/anclaf/latents.ts";
import { discriminatorParameters, generatorParameters } from "../../src/systems/anclaf/networks.ts";
import { presets } from "../../src/systems/anclaf/presets.ts";
import { temporary } from "../pipelines/temporary.ts";

const CLIPS = 5;
const FRAMES = 3;
const TOOLS = { signal: new AbortController().signal, digest: async () => "", note() {} };

let place: string;
let data: string;
let store: string;
let models: string;

beforeAll(async () => {
  place = await mkdtemp(path.join(tmpdir(), "read-faces-"));
  [data, store, models] = [path.join(place, "data"), path.join(place, "store"), path.join(place, "models")];
  await synthFaces({ clips: CLIPS, frames: FRAMES, actors: 5, seed: 4, output: data });
  const folds = await sourcesFrom(splitFaces, { data, store });
  for (const fold of [0, 1]) await publish(path.join(models, `fold-${fold}`), fold, folds[fold]!);
});

afterAll(() => rm(place, { recursive: true, force: true }));

async function sourcesFrom(stage: typeof readFaces | typeof splitFaces, options: object): Promise<Source[]> {
  const found: Source[] = [];
  const given = stage.options.parse(options) as never;
  for await (const source of stage.sources!(given, TOOLS)) {
    if ("refused" in source) throw new Error(source.refused);
    found.push(source);
  }
  return found;
}

/** What a training leaves, with weights of a seed of the fold's own; `changed` is what the model says of itself. */
async function publish(folder: string, fold: number, source: Source, changed: Record<string, string> = {}) {
  const weights = initialise(
    [...generatorParameters(presets.small), ...discriminatorParameters(presets.small)],
    10 + fold,
  );
  await mkdir(folder, { recursive: true });
  const more = { preset: "small", fold: `${fold} of 5`, data: source.digest, ...changed };
  const about = { trainedOn: "nothing", command: "a test", seed: 10 + fold, metrics: {}, more };
  await exportWeights(path.join(folder, "model.safetensors"), [weights], about, "f32");
  const steps = [{ stage: "split-faces", options: { dataset: "synth", folds: 5, seed: 1 } }, { stage: "train-anclaf" }];
  const result = { key: "k", keyParts: { steps }, fold, folds: 5, store, data, metrics: {}, facts: {} };
  const { name, digest } = source;
  await writeResult(folder, { ...result, source: { name, digest } }, ["model.safetensors"]);
}

async function crops(source: Source, options: object = {}) {
  await using context = looseContext({ source, note() {} });
  const found: Crop[] = [];
  const stage = readFaces({ data, store, ...options });
  for await (const crop of stage.run(context)(none())) {
    context.ledger.row(crop.status);
    found.push(crop);
  }
  context.ledger.check();
  return { crops: found, facts: context.facts, counts: context.ledger.counts, ending: context.ending };
}

async function* none(): AsyncGenerator<never, void, void> {}

function extraction(output: string, given: Record<string, string | number> = {}, set: string[] = []) {
  const pipeline = load(path.join(packageRoot, "pipelines.yaml"), stages)["extract-faces"]!;
  const params = { data, models, output, fold: "0", ...given };
  return bind(pipeline, stages, params, [`read-faces.store=${store}`, "cache-latents.dtype=float32", ...set]);
}

/** What ends a run of a pipeline before anything is made, and that nothing was. */
async function refusal(pipeline: ReturnType<typeof bind>): Promise<PipeError> {
  const output = (pipeline.params as { output: string }).output;
  const error = await run(pipeline, { stages }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(PipeError);
  const report = JSON.parse(await readFile(path.join(output, "report.json"), "utf8"));
  expect(report).toMatchObject({ items: [], totals: { items: 0, notStarted: 0 } });
  expect(await entryFolders(output)).toEqual([]);
  return error as PipeError;
}

describe("read-faces", () => {
  it("gives every clip once for each fold, tested once, known by pixels, split and fold", async () => {
    const all = await sourcesFrom(readFaces, { data, store });
    expect(all).toHaveLength(CLIPS * 5);
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(all.length);
    expect(all.map(({ name }) => name).slice(0, 2)).toEqual(["synth/fold-0/001", "synth/fold-0/002"]);
    for (const fold of [0, 1, 2, 3, 4]) {
      const parts = all.filter(({ clip }) => clip!.fold === fold).map(({ clip }) => clip!.part);
      expect(parts.sort()).toEqual(["test", "training", "training", "training", "validation"]);
    }
    const tested = all.filter(({ clip }) => clip!.part === "test").map(({ clip }) => clip!.id);
    expect(tested.sort()).toEqual(["001", "002", "003", "004", "005"]);
    expect(await sourcesFrom(readFaces, { data, store, fold: "3" })).toEqual(all.slice(15, 20));
    const known = new Set(all.map(({ digest }) => digest));
    for (const other of [{ seed: 2 }, { side: 64 }, { rate: 7 }]) {
      const sources = await sourcesFrom(readFaces, { data, store: `${store}-other`, ...other });
      expect(sources.filter(({ digest }) => known.has(digest))).toEqual([]);
    }
    await expect(sourcesFrom(readFaces, { data, store, fold: "5" })).rejects.toThrow("There is no fold 5.");
  });

  it("gives the store's faces in order, with labels, landmarks in the frame, and times of the drawn rate", async () => {
    const dataset = await readDataset("synth", data);
    const [source] = (await sourcesFrom(readFaces, { data, store, fold: "0" })) as [Source];
    const { crops: found, facts, counts, ending } = await crops(source);
    const clip = dataset.clips[0]!;
    expect(found.map(({ index }) => index)).toEqual(clip.frames.map(({ id }) => id));
    expect(found.map(({ pts }) => pts)).toEqual([0, 20_000, 40_000]);
    await using open = await openFaceStore(source.path);
    for (const [i, crop] of found.entries()) {
      const { valence, arousal, landmarks } = clip.frames[i]!;
      expect(crop).toMatchObject({ status: "ok", track: 0, shot: 0, frame: null, image: { width: 128, height: 128 } });
      expect(crop.label).toEqual({ valence: Math.fround(valence), arousal: Math.fround(arousal) });
      for (const [j, at] of landmarks.entries()) expect(crop.landmarks![j]).toBeCloseTo(at, 3);
      const pixels = new Uint8Array(128 * 128 * 3);
      await open.read([rowsOf(open, [clip.id])[i]!], pixels);
      expect(digestOf(crop.image!.data)).toBe(digestOf(pixels));
    }
    expect(facts).toMatchObject({
      clip: { id: "001", fold: 0, folds: 5, labelled: FRAMES },
      labels: { dataset: "synth", valence: [-10, 10], arousal: [-10, 10] },
      range: { valence: [-10, 10], arousal: [-10, 10] },
    });
    expect(counts).toMatchObject({ demuxed: 3, decoded: 3, failed: 0, sampled: 3 });
    expect(ending).toEqual({ verdict: "complete" });
    expect((await crops(source, { rate: 4 })).crops.map(({ pts }) => pts)).toEqual([0, 250_000, 500_000]);
  });

  it("keeps a video's own times, whatever the rate", async () => {
    const options = { data: path.join(place, "sewa"), store: `${store}-sewa`, folds: 3, fold: "2" };
    await synthFaces({ clips: 6, frames: 4, actors: 6, seed: 4, layout: "sewa", output: options.data });
    for (const source of await sourcesFrom(readFaces, options)) {
      const { crops: found, facts } = await crops(source, { ...options, rate: 1 });
      await using open = await openFaceStore(source.path);
      const rows = [...rowsOf(open, [source.clip!.id])];
      expect(found.map(({ pts }) => pts)).toEqual(rows.map((row) => open.pts[row]));
      expect(found.map(({ index }) => index)).toEqual(rows.map((row) => open.frameOf[row]));
      expect(found[1]!.pts).toBeLessThan(1e6);
      expect(facts.labels).toEqual({
        dataset: "synth",
        valence: [...open.range.valence],
        arousal: [...open.range.arousal],
      });
    }
  });

  it("keeps a gap where a frame has no picture, and counts what could not be cut; a clip without faces is refused", async () => {
    const broken = path.join(place, "broken");
    await cp(data, broken, { recursive: true });
    const clip = (await readDataset("synth", broken)).clips[1]!;
    const pictures = (some: (typeof clip)["media"]) => (some.kind === "images" ? some.paths : []);
    // Cut short, so that it is found and cannot be read.
    await truncate(pictures(clip.media)[1]!, 40);
    for (const one of pictures((await readDataset("synth", broken)).clips[2]!.media)) await truncate(one, 40);
    const options = { data: broken, store: `${store}-broken`, fold: "0" };
    const found: (Source | { refused: string })[] = [];
    for await (const one of readFaces.sources!(readFaces.options.parse(options), TOOLS)) found.push(one);
    expect(found[2]).toMatchObject({ name: "synth/fold-0/003", refused: "No face of its 3 frames could be cut out." });
    const { crops: left, counts } = await crops(found[1] as Source, options);
    expect(left.map(({ index, pts }) => [index, pts])).toEqual([
      [0, 0],
      [2, 40_000],
    ]);
    expect(counts).toMatchObject({ demuxed: 3, decoded: 2, failed: 1, sampled: 2 });
  });

  it("fails clearly when its store is gone, or a source is not its own", async () => {
    const [source] = (await sourcesFrom(readFaces, { data, store: `${store}-gone`, fold: "0" })) as [Source];
    await rm(`${store}-gone`, { recursive: true });
    await expect(crops(source)).rejects.toThrow(/is not an intact face store: there is no folder/);
    const { clip: _, ...other } = source;
    await expect(crops(other)).rejects.toThrow(/is no clip of a labelled dataset/);
  });
});

describe("extract-faces", () => {
  it("encodes each clip with its own fold's model, and keeps labels, fold and part with the latents", async () => {
    const output = await temporary();
    for (const fold of ["0", "1"]) expect((await run(extraction(output, { fold }), { stages })).exitCode).toBe(0);
    expect(await entryFolders(output)).toHaveLength(CLIPS * 2);
    // The same weights from their seeds, without any file.
    const open = (seed: number) => openEncoder({ preset: "small", seed, form: "onehot", batch: 16 });
    await using zero = await open(10);
    await using one = await open(11);
    const encoders = [zero, one];
    for (const folder of await entryFolders(output)) {
      using entry = await openEntry(folder);
      const clip = entry.marker.facts.clip as unknown as NonNullable<Source["clip"]>;
      const [source] = (await sourcesFrom(readFaces, { data, store, fold: String(clip.fold) })).filter(
        (one) => one.clip!.id === clip.id,
      );
      expect(clip).toEqual(source!.clip);
      const faces = (await crops(source!)).crops;
      const rows = [];
      for await (const row of entry.rows()) rows.push(row);
      expect(rows.map(({ labels }) => labels)).toEqual(faces.map(({ label }) => label));
      expect(entry.marker.facts.labels).toEqual({ dataset: "synth", valence: [-10, 10], arousal: [-10, 10] });
      const [first] = await encoders[clip.fold]!.encode([faces[0]!.image!]);
      const z = new Float32Array(entry.size);
      entry.readZ(0, 1, z);
      expect(digestOf(new Uint8Array(z.buffer))).toBe(digestOf(new Uint8Array(first!.z.buffer)));
    }
    // Read back: one fold at a time, with labels and part.
    const options = (given: object) => readLatents.options.parse({ input: output, ...given });
    const sources = async (given: object) => {
      const found: Source[] = [];
      for await (const one of readLatents.sources!(options(given), TOOLS)) found.push(one as Source);
      return found;
    };
    await expect(sources({})).rejects.toThrow(/several folds, each by its own model.*: 0, 1/);
    await expect(sources({ fold: 4 })).rejects.toThrow(/no cached latents of fold 4/);
    const second = await sources({ fold: 1 });
    expect(second.map(({ clip }) => [clip!.fold, clip!.id])).toEqual(
      ["001", "002", "003", "004", "005"].map((id) => [1, id]),
    );
    await using context = looseContext({ source: second[0]! });
    const latents: Latent[] = [];
    for await (const latent of readLatents({ input: output }).run(context)(none())) latents.push(latent);
    const [source] = await sourcesFrom(readFaces, { data, store, fold: "1" });
    expect(latents.map(({ label }) => label)).toEqual((await crops(source!)).crops.map(({ label }) => label));
  });

  it("is cached until its fold's model changes; another fold's changes nothing", async () => {
    const [output, own] = [await temporary(), path.join(await temporary(), "models")];
    await cp(models, own, { recursive: true });
    const planned = async () => {
      const items = [];
      for await (const { item } of plan(extraction(output, { models: own }), { stages })) items.push(item);
      return items;
    };
    await run(extraction(output, { models: own }), { stages });
    const folds = await sourcesFrom(splitFaces, { data, store });
    await publish(path.join(own, "fold-1"), 1, folds[1]!, { note: "trained longer" });
    expect((await planned()).map(({ action }) => action)).toEqual(Array(CLIPS).fill("cached"));
    await publish(path.join(own, "fold-0"), 0, folds[0]!, { note: "trained longer" });
    for (const { action, changed } of await planned()) {
      expect(action).toBe("run");
      expect(changed).toEqual([expect.stringMatching(/^encode-latents\.models\.anclaf: /)]);
    }
  });

  it("does not begin with models of another seed, number of folds, dataset or preset: one error, with the field", async () => {
    const output = await temporary();
    const faces = `${store}-never-cut`;
    const uncut = (given: Record<string, string | number>, set: string[] = []) =>
      refusal(extraction(output, given, [`read-faces.store=${faces}`, ...set]));
    const reseeded = await uncut({ "split-seed": 2 });
    expect(reseeded.message).toBe(
      `${path.join(models, "fold-0/model.safetensors")} is not the model that this fold needs: seed is 1 where 2 is wanted.`,
    );
    expect(reseeded.hint).toMatch(/^Give the dataset, split seed, folds and preset that the models were trained with/);
    expect((await uncut({ preset: "paper" })).message).toMatch(/: preset is small where paper is wanted\.$/);
    expect((await uncut({ "split-seed": 3, preset: "paper" })).message).toMatch(
      /: preset is small where paper is wanted; seed is 1 where 3 is wanted\.$/,
    );
    // Told of what is trained, before what is not: folds 2 to 4 have no model at all.
    expect((await uncut({ "split-seed": 2, fold: "all" })).message).toMatch(/fold-0\/.*: seed is 1 where 2 is wanted/);
    expect((await uncut({}, ["read-faces.folds=3"])).message).toMatch(/: folds is 5 where 3 is wanted\.$/);
    expect((await uncut({ dataset: "afew-va" })).message).toMatch(/: dataset is synth where afew-va is wanted\.$/);
    // Nobody has cut out a face for it.
    await expect(stat(faces)).rejects.toThrow("ENOENT");
  });

  it("refuses the model of another fold or of other data at once, and says which field differs", async () => {
    const output = await temporary();
    const folds = await sourcesFrom(splitFaces, { data, store });
    const swapped = path.join(await temporary(), "models");
    await cp(path.join(models, "fold-0"), path.join(swapped, "fold-1"), { recursive: true });
    const leaking = await refusal(extraction(output, { models: swapped, fold: "1" }));
    expect(leaking.message).toMatch(/fold is 0 where 1 is wanted; data is \w+… where/);

    // The folder is the fold's own, and the weights in it say that they are not.
    const claimed = path.join(await temporary(), "models");
    await publish(path.join(claimed, "fold-1"), 1, folds[1]!, { fold: "0 of 5", data: folds[0]!.digest });
    const other = await refusal(extraction(output, { models: claimed, fold: "1" }));
    expect(other.message).toMatch(/: the model's fold is 0 of 5 where 1 of 5 is wanted; the model's data/);

    const drawn = path.join(await temporary(), "data");
    await synthFaces({ clips: CLIPS, frames: FRAMES, actors: 5, seed: 5, output: drawn });
    const elsewhere = await refusal(extraction(output, { data: drawn }, [`read-faces.store=${store}-drawn`]));
    expect(elsewhere.message).toMatch(/needs: data is \w+… where \w+… is wanted; the model's data/);
  });

  it("does not begin while a fold that is asked for has no finished training, and names each such fold once", async () => {
    const output = await temporary();
    const all = await run(extraction(output, { fold: "all" }), { stages }).catch((error: unknown) => error);
    expect(all).toMatchObject({
      message: expect.stringMatching(/models holds no finished training of folds 2, 3, 4, /),
      hint: expect.stringMatching(/--fold 2 --output .*; or take a fold alone: --fold 0$/),
    });
    await expect(plan(extraction(output, { fold: "3" }), { stages }).next()).rejects.toThrow(/training of fold 3, /);
    await expect(run(extraction(output, { fold: "5" }), { stages })).rejects.toThrow("There is no fold 5.");
    const damaged = path.join(await temporary(), "models");
    await cp(models, damaged, { recursive: true });
    await unlink(path.join(damaged, "fold-0/result.json"));
    await expect(run(extraction(output, { models: damaged }), { stages })).rejects.toThrow(
      /no finished training of fold 0, or files were changed since/,
    );
    await expect(run(extraction(output, { models: place }), { stages })).rejects.toThrow(
      /holds no finished training, whose/,
    );
    await expect(run(extraction(output, {}, ["encode-latents.seed=1"]), { stages })).rejects.toThrow(
      /a checkpoint or a seed/,
    );
    expect(JSON.parse(await readFile(path.join(output, "report.json"), "utf8"))).toMatchObject({ items: [] });
    expect(await entryFolders(output)).toEqual([]);
  });

  it("does not take a fold's model for what is in no fold", async () => {
    const source = { path: "/x", name: "x.mp4", bytes: 1, digest: digestOf("x") };
    const options = encodeLatents.options.parse({ models, preset: "small" });
    await expect(encodeLatents.modelsFor!(options, source)).rejects.toThrow("x.mp4 is in no fold");
    await using context = looseContext({ source });
    const first = encodeLatents(options).run(context)(none()).next();
    await expect(first).rejects.toThrow("x.mp4 is in no fold");
    expect(await encodeLatents.modelsFor!(encodeLatents.options.parse({ seed: 1 }), source)).toEqual({});
  });
});
