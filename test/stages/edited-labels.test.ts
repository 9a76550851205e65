import { copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { entryFolders } from "../../src/cache/layout.ts";
import { digestOf, type Json } from "../../src/digest.ts";
import type { PipeError } from "../../src/errors.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { load } from "../../src/pipelines/load.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { run } from "../../src/pipelines/run.ts";
import type { Latent, Source } from "../../src/records.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import { type LooseContext, looseContext } from "../../src/stages/context.ts";
import { stages } from "../../src/stages/index.ts";
import labelFaces from "../../src/stages/label-faces.ts";
import readLatents from "../../src/stages/read-latents.ts";
import { latents } from "../cache/helpers.ts";
import { temporary } from "../pipelines/temporary.ts";
import { counted, only } from "./cached.ts";

const RANGE = { valence: [-1, 1], arousal: [-1, 1] };
const labelsOf = (valence: number) => `time_us,valence,arousal\n0,${valence},0\n`;

async function* none(): AsyncGenerator<never, void, void> {}

async function found(input: string, options: object = {}): Promise<{ sources: Source[]; notes: string[] }> {
  const [sources, notes]: [Source[], string[]] = [[], []];
  const tools = {
    signal: new AbortController().signal,
    digest: async () => "",
    note: (line: string) => notes.push(line),
  };
  for await (const one of readLatents.sources!(readLatents.options.parse({ input, ...options }), tools))
    sources.push(one as Source);
  return { sources, notes };
}

async function read(source: Source, options: object = {}): Promise<{ latents: Latent[]; facts: Record<string, Json> }> {
  await using context = looseContext({ source, note() {} });
  const rows: Latent[] = [];
  for await (const one of readLatents(options).run(context)(none())) rows.push(one);
  return { latents: rows, facts: context.facts };
}

const valences = (rows: readonly Latent[]) => [...new Set(rows.flatMap(({ label }) => label?.valence ?? []))];

describe("labels that are edited after latents were made of them", () => {
  let folder: string;
  let output: string;
  beforeEach(async () => {
    folder = await temporary();
    output = path.join(await temporary(), "latents");
  });

  /** What extract-latents does with a video beside its labels, but for the networks: the key is made as the runner makes it. */
  async function extract(name: string, { bytes = name, options = {} as object, seed = 1 } = {}): Promise<string> {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, bytes);
    const source = { path: file, name, bytes: bytes.length, digest: digestOf(bytes) };
    const files = await labelFaces.filesFor!(labelFaces.options.parse(options), source, { note() {} });
    const steps = [
      { stage: "label-faces", version: 1, options: {}, models: {}, ...(files.labels && { files }) },
      { stage: "encode-latents", version: 1, options: { seed }, models: {} },
    ];
    const keyParts = { source: source.digest, steps } as unknown as Json;
    const key = digestOf(keyParts);
    const sink = cacheLatents({ output });
    const cached = await cacheLatents.cached!(cacheLatents.options.parse({ output }), { source, key });
    if (cached) return cached.artifact.path;
    await using context: LooseContext = looseContext({ source, key, keyParts, note() {} });
    if (files.labels) Object.assign(context.facts, { labelled: 4, range: RANGE, file: files.labels });
    return (await only(sink.run(context)(counted(latents(5), context)))).path;
  }

  const label = (name: string, valence: number | null) => {
    const file = path.join(folder, `${path.parse(name).dir}/${path.parse(name).name}.labels.csv`);
    return valence === null ? rm(file) : writeFile(file, labelsOf(valence));
  };
  const taken = async (options: object = {}) => {
    const { sources, notes } = await found(output, options);
    return { paths: sources.map((one) => one.path), notes };
  };

  it("are read as they are now, once; edited back, as they were; nothing is deleted", async () => {
    await label("a.mp4", 0.1);
    const first = await extract("a.mp4");
    expect(await taken()).toEqual({ paths: [first], notes: [] });
    await label("a.mp4", 0.2);
    const second = await extract("a.mp4");
    expect(second).not.toBe(first);
    const older = (of: string) =>
      `an older entry, made of other labels, is left out: a.mp4 (${of.split(path.sep).slice(-2).join("/")}).`;
    expect(await taken()).toEqual({ paths: [second], notes: [older(first)] });
    await label("a.mp4", 0.1);
    expect(await extract("a.mp4")).toBe(first);
    expect(await taken()).toEqual({ paths: [first], notes: [older(second)] });
    expect((await entryFolders(output)).sort()).toEqual([first, second].sort());
  });

  it("follow the file beside the video, even where no run came by since", async () => {
    await label("a.mp4", 0.1);
    const first = await extract("a.mp4");
    await label("a.mp4", 0.2);
    const second = await extract("a.mp4");
    await label("a.mp4", 0.1);
    expect((await taken()).paths).toEqual([first]);
    // Edited, and no latents made of it yet: the last ones, and a word about it.
    await label("a.mp4", 0.3);
    const { paths, notes } = await taken();
    expect(paths).toEqual([second]);
    expect(notes).toEqual([
      expect.stringContaining("an older entry"),
      "the labels beside a.mp4 are not those of the cached latents: run extract-latents again to take them.",
    ]);
  });

  it("that were taken away leave the entry without labels; --labels none says nothing of them", async () => {
    const bare = await extract("a.mp4");
    await label("a.mp4", 0.1);
    const labelled = await extract("a.mp4");
    expect(await extract("a.mp4", { options: { labels: "none" } })).toBe(bare);
    expect((await taken()).paths).toEqual([labelled]);
    await label("a.mp4", null);
    expect((await taken()).paths).toEqual([bare]);
    // Nor where the video is gone.
    await rm(path.join(folder, "a.mp4"));
    expect((await taken()).paths).toEqual([labelled]);
  });

  it("of videos that are gone, moved or replaced: the entry that a run asked for last", async () => {
    await label("a.mp4", 0.1);
    const first = await extract("a.mp4");
    await label("a.mp4", 0.2);
    const second = await extract("a.mp4");
    await label("a.mp4", 0.1);
    await extract("a.mp4");
    await rm(path.join(folder, "a.mp4"));
    expect((await taken()).paths).toEqual([first]);
    // Another video of that name, with labels of its own that happen to be those of before.
    await label("a.mp4", 0.2);
    await writeFile(path.join(folder, "a.mp4"), "quite another video");
    expect((await taken()).paths).toEqual([first]);
    // The cache is taken elsewhere without its notes: the entry that was written last.
    const away = path.join(await temporary(), "latents");
    await rename(output, away);
    await rm(path.join(away, ".labelled.jsonl"));
    expect((await found(away)).sources.map((one) => path.basename(one.path))).toEqual([path.basename(second)]);
  });

  it("of several videos and ways of making them are told apart; unlabelled ones are as they were", async () => {
    const bare = await extract("b.mp4");
    await label("a.mp4", 0.1);
    const old = [await extract("a.mp4"), await extract("a.mp4", { seed: 2 })];
    await label("a.mp4", 0.2);
    const now = [await extract("a.mp4"), await extract("a.mp4", { seed: 2 })];
    const { paths, notes } = await taken({ apart: true });
    expect(paths.sort()).toEqual([bare, ...now].sort());
    expect(notes).toEqual([expect.stringMatching(/^2 older entries, made of other labels, are left out: a\.mp4 \(/)]);
    for (const one of old) expect(notes[0]).toContain(path.basename(one));
  });

  it("beside copies of one video: the same ones once, different ones are refused where folds are made", async () => {
    for (const [i, name] of ["x.mp4", "y.mp4"].entries()) {
      await label(name, i / 10);
      await extract(name);
    }
    for (const name of ["one/a.mp4", "two/a.mp4"]) {
      await mkdir(path.join(folder, path.dirname(name)));
      await label(name, 0.5);
      await extract(name, { bytes: "the very same" });
    }
    const folds = await found(output, { by: "fold" });
    expect(folds.notes).toEqual([expect.stringMatching(/^3 labelled videos of 3 people/)]);
    await label("two/a.mp4", 0.6);
    await extract("two/a.mp4", { bytes: "the very same" });
    const error: PipeError = await found(output, { by: "fold" }).catch((caught) => caught);
    expect(error.message).toMatch(/a\.mp4 is in the cache twice, made of other labels: /);
    expect(error.hint).toMatch("copies of a video have different labels");
    // One of them is mended.
    await label("one/a.mp4", 0.6);
    const { notes } = await found(output, { by: "fold" });
    expect(notes).toEqual([expect.stringContaining("an older entry"), expect.stringMatching(/^3 labelled videos/)]);
  });

  it("give a fold another digest, and the fold of before again when they are edited back", async () => {
    for (const [i, name] of ["a.mp4", "b.mp4", "c.mp4", "d.mp4"].entries()) {
      await label(name, i / 10);
      await extract(name);
    }
    const before = await found(output, { by: "fold" });
    await label("b.mp4", 0.9);
    await extract("b.mp4");
    const edited = await found(output, { by: "fold" });
    expect(edited.sources.map(({ name }) => name)).toEqual(before.sources.map(({ name }) => name));
    for (const [i, { digest }] of edited.sources.entries()) expect(digest).not.toBe(before.sources[i]!.digest);
    expect(edited.notes).toEqual([expect.stringContaining("an older entry"), expect.stringMatching(/^4 labelled/)]);
    const { latents: rows } = await read(edited.sources[0]!, { input: output, by: "fold", values: false });
    expect(rows.filter(({ clip }) => clip!.id === "b.mp4")).toHaveLength(5);
    await label("b.mp4", 0.1);
    await extract("b.mp4");
    expect((await found(output, { by: "fold" })).sources).toEqual(before.sources);
  });
});

describe("in the shipped pipelines", () => {
  const pipelines = load(path.join(packageRoot, "pipelines.yaml"), stages);
  const sample = path.join(packageRoot, "data/samples/one-face.mp4");
  let folder: string;
  beforeAll(async () => {
    folder = await temporary();
    await mkdir(path.join(folder, "videos"));
    await copyFile(sample, path.join(folder, "videos/a.mp4"));
  });
  const extract = async (name: string, params: Record<string, Json>, set: string[]) => {
    const { report, exitCode } = await run(bind(pipelines[name]!, stages, params, set), { stages });
    expect([exitCode, ...report.items.map(({ reason }) => reason)]).toEqual([0, ...report.items.map(() => undefined)]);
    return report.items.map(({ status }) => status);
  };
  const labels = (valence: number) =>
    writeFile(
      path.join(folder, "videos/a.labels.csv"),
      `time_us,valence,arousal\n${Array.from({ length: 200 }, (_, i) => `${i * 40_000},${valence},0\n`).join("")}`,
    );
  const shown = async (level: string) => {
    const { sources, notes } = await found(path.join(folder, level));
    const rows = await Promise.all(sources.map(async (one) => [one.name, valences((await read(one)).latents)]));
    return { rows, notes: notes.length };
  };

  it("an edit gives the new labels, once, in latents and in the features that are made of them; edited back, the first", async () => {
    const [z, x] = [path.join(folder, "z"), path.join(folder, "x")];
    const both = async () => [
      await extract("extract-latents", { input: [path.join(folder, "videos")], output: z, fps: 5 }, [
        "extract-frames.end=0.3",
      ]),
      await extract("extract-features", { input: z, output: x }, []),
    ];
    await labels(0.25);
    expect(await both()).toEqual([["done"], ["done"]]);
    const first = {
      rows: [["a.mp4", [0.25]]],
      notes: 0,
    };
    expect([await shown("z"), await shown("x")]).toEqual([first, first]);
    await labels(0.75);
    expect(await both()).toEqual([["done"], ["done"]]);
    const second = {
      rows: [["a.mp4", [0.75]]],
      notes: 1,
    };
    expect([await shown("z"), await shown("x")]).toEqual([second, second]);
    await labels(0.25);
    expect(await both()).toEqual([["cached"], ["cached"]]);
    const third = { ...first, notes: 1 };
    expect([await shown("z"), await shown("x")]).toEqual([third, third]);
  });
});
