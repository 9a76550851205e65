import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { digestFile, digestOf } from "../../src/digest.ts";
import type { Latent, Refused, Source } from "../../src/records.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import readLatents from "../../src/stages/read-latents.ts";
import { folder, latents, openFiles, SHAPE, tree } from "../cache/helpers.ts";
import { counted, only, SOURCE, task } from "./cached.ts";

const video = (name: string): Source => ({ ...SOURCE, name, digest: digestOf(name) });

async function store(output: string, source: Source, records: readonly Latent[], seed = 1) {
  await using context = task(seed, source);
  context.facts.weights = "untrained (seed 1)";
  const stage = cacheLatents({ output, dtype: "float32" });
  return only(stage.run(context)(counted(records, context, seed > 5 ? "truncated" : "complete")));
}

async function sources(input: string, recipe?: string): Promise<(Source | Refused)[]> {
  const found: (Source | Refused)[] = [];
  const options = readLatents.options.parse({ input, recipe });
  const tools = { signal: new AbortController().signal, digest: digestFile, note() {} };
  for await (const one of readLatents.sources!(options, tools)) found.push(one);
  return found;
}

async function read(source: Source, context = task(1, source), options = {}): Promise<Latent[]> {
  const found: Latent[] = [];
  for await (const one of readLatents(options).run(context)(none())) found.push(one);
  return found;
}

async function* none(): AsyncGenerator<never> {}

test("gives the latents that were stored, with a ledger that balances and the verdict of then", async () => {
  await using output = await folder();
  const records = latents(13);
  await store(output.path, video("b.mp4"), records, 6);
  const [source] = (await sources(output.path)) as [Source];
  expect(source.name).toBe("b.mp4");
  await using context = task(1, source);
  let row = 0;
  const placed = records.map((one) => (one.z ? { ...one, place: { folder: source.path, row: row++ } } : one));
  expect(await read(source, context)).toEqual(placed);
  for (const { status } of records) context.ledger.row(status);
  context.ledger.check();
  expect(context.ledger.counts).toMatchObject({ demuxed: 7, sampled: 7, extra: 6 });
  expect(context.ending).toEqual({ verdict: "truncated", detail: "ends early" });
  expect(context.facts).toEqual({ weights: "untrained (seed 1)" });
  expect(await openFiles(output.path)).toEqual([]);
});

test("stored again what was read, the same latents", async () => {
  await using output = await folder();
  await using copy = await folder();
  const first = await store(output.path, video("a.mp4"), latents(9));
  const [source] = (await sources(output.path)) as [Source];
  await using context = task(1, source);
  const stored = await only(
    cacheLatents({ output: copy.path, dtype: "float32" }).run(context)(readLatents({}).run(context)(none())),
  );
  const shards = async (path: string) => (await tree(path))["z-00000.arrow"];
  // The key in the schema differs, and nothing else: the latents are compared as they are read.
  expect(await shards(stored.path)).not.toBe(await shards(first.path));
  const again = { ...source, path: stored.path };
  const unplaced = async (source: Source) => (await read(source)).map(({ place: _, ...rest }) => rest);
  expect(await unplaced(again)).toEqual(await unplaced(source));
});

test("sources by name; a broken entry is refused or fails, and the rest goes on", async () => {
  await using output = await folder();
  const made: Record<string, string> = {};
  for (const name of ["c.mp4", "a.mp4", "b.mp4", "d.mp4"])
    made[name] = (await store(output.path, video(name), latents(3))).path;
  await rm(join(made["b.mp4"]!, "marker.json"));
  await truncate(join(made["c.mp4"]!, "z-00000.arrow"), 40);
  const found = await sources(output.path);
  expect(found.map((one) => ("refused" in one ? one.refused : one.name))).toEqual([
    "a.mp4",
    "c.mp4",
    "d.mp4",
    "marker.json is missing: the entry was never finished, or lost it",
  ]);
  expect(await read(found[0] as Source)).toHaveLength(3);
  await expect(read(found[1] as Source)).rejects.toThrow(/is not an intact cache entry: z-00000.arrow is truncated/);
  await expect(sources(join(output.path, "nothing"))).rejects.toThrow("There are no cached latents in");
});

test("the digest of a source is that of its content: not its name, not its place", async () => {
  await using output = await folder();
  await using elsewhere = await folder();
  await store(output.path, video("a.mp4"), latents(3));
  await store(elsewhere.path, { ...video("a.mp4"), name: "z.mp4" }, latents(3));
  const [[a], [b]] = [await sources(output.path), await sources(elsewhere.path)] as [[Source], [Source]];
  expect([a.digest, a.name]).toEqual([b.digest, "a.mp4"]);
  await using other = await folder();
  await store(other.path, video("a.mp4"), latents(4));
  expect(((await sources(other.path)) as [Source])[0].digest).not.toBe(a.digest);
});

test("latents made in two ways are not mixed: one must be chosen", async () => {
  await using output = await folder();
  for (const name of ["a.mp4", "b.mp4"]) await store(output.path, video(name), latents(3), 1);
  await store(output.path, video("b.mp4"), latents(3), 2);
  const error = await sources(output.path).catch((caught) => caught);
  expect(error.message).toMatch("made in 2 ways");
  expect(error.hint).toMatch(/[0-9a-f]{16} \(2 entries\): encode-latents.options.seed=1$/m);
  const second = /([0-9a-f]{16}) \(1 entry\): encode-latents.options.seed=2$/m.exec(error.hint)![1]!;
  expect((await sources(output.path, second.slice(0, 6))).map(({ name }) => name)).toEqual(["b.mp4"]);
  await expect(sources(output.path, "0000000000000000")).rejects.toThrow("No recipe of cached latents begins with");
});

test("without values, a latent says where they lie, and is not stored again as if it had none", async () => {
  await using output = await folder();
  await store(output.path, video("a.mp4"), latents(9));
  const [source] = (await sources(output.path)) as [Source];
  const [whole, bare] = [await read(source), await read(source, undefined, { values: false })];
  expect(bare).toEqual(whole.map((one) => ({ ...one, z: null })));
  await using context = task(1, source);
  await expect(
    only(cacheLatents({ output: output.path }).run(context)(readLatents({ values: false }).run(context)(none()))),
  ).rejects.toThrow("frame 0 (pts 0 µs), track 0: its values were left on disk");
});

test("entries without rows, and without latents", async () => {
  await using output = await folder();
  await store(output.path, video("none.mp4"), []);
  await store(
    output.path,
    video("faceless.mp4"),
    latents(3).map((one) => ({ ...one, z: null })),
  );
  const [faceless, none] = (await sources(output.path)) as [Source, Source];
  expect(await read(none)).toEqual([]);
  expect((await read(faceless)).map(({ z, shape }) => [z, shape])).toEqual(new Array(3).fill([null, []]));
  expect(SHAPE).not.toEqual([]);
});

test("entries of several folds come together only when each is taken by itself", async () => {
  await using output = await folder();
  for (const fold of [0, 1]) {
    const clip = { id: "c", group: "g", fold, folds: 3, part: "test", digest: "d", labelled: 1 };
    await using context = task(fold + 1, video(`clip of fold ${fold}`));
    context.facts.clip = clip;
    await only(cacheLatents({ output: output.path }).run(context)(counted(latents(3), context)));
  }
  await expect(sources(output.path)).rejects.toThrow("latents of several folds");
  const options = readLatents.options.parse({ input: output.path, apart: true });
  const tools = { signal: new AbortController().signal, digest: digestFile, note() {} };
  const found: (Source | Refused)[] = [];
  for await (const one of readLatents.sources!(options, tools)) found.push(one);
  expect(found.map((one) => ("clip" in one ? one.clip?.fold : null))).toEqual([0, 1]);
});
