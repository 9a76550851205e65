import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readMarker } from "../../src/cache/marker.ts";
import { digestOf } from "../../src/digest.ts";
import type { Latent } from "../../src/records.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import { looseContext } from "../../src/stages/context.ts";
import { folder, latents, openFiles, readAll, tree } from "../cache/helpers.ts";
import { counted, only, parts, SOURCE, task } from "./cached.ts";

async function store(output: string, records: readonly Latent[], seed = 1) {
  await using context = task(seed);
  context.facts.weights = "untrained (seed 1)";
  return only(cacheLatents({ output }).run(context)(counted(records, context)));
}

test("stores every row, and says in the marker what it knows of the run", async () => {
  await using output = await folder();
  const records = latents(11);
  const artifact = await store(output.path, records);
  expect((await readAll(artifact.path)).rows.map(({ pts, track }) => [pts, track])).toEqual(
    records.map(({ pts, track }) => [pts, track]),
  );
  expect(await readMarker(artifact.path)).toMatchObject({
    key: digestOf(parts(1)),
    keyParts: parts(1),
    source: { name: "clip one.mp4", bytes: 9, digest: SOURCE.digest },
    verdict: "complete",
    counts: { demuxed: 6, decoded: 6, sampled: 6, skipped: 0, failed: 0, extra: 5, rows: { ok: 8, no_face: 3 } },
    facts: { weights: "untrained (seed 1)" },
  });
  expect(artifact.bytes).toBeGreaterThan(8 * 30 * 2);
});

test("a rename stores nothing new; another option does", async () => {
  await using output = await folder();
  await store(output.path, latents(5));
  const before = await tree(output.path);
  await using context = task(1, { ...SOURCE, name: "renamed.mp4", path: "/elsewhere/renamed.mp4" });
  await only(cacheLatents({ output: output.path }).run(context)(counted(latents(5), context)));
  expect(await tree(output.path)).toEqual(before);
  await store(output.path, latents(5), 2);
  expect(Object.keys(await tree(output.path))).toHaveLength(6);
});

test("cached: what is intact, and nothing else", async () => {
  await using output = await folder();
  const options = cacheLatents.options.parse({ output: output.path });
  const asked = { source: SOURCE, key: digestOf(parts(1)) };
  expect(await cacheLatents.cached!(options, asked)).toBeUndefined();
  const artifact = await store(output.path, latents(5));
  expect(await cacheLatents.cached!(options, asked)).toMatchObject({
    artifact,
    verdict: "complete",
    counts: { sampled: 3 },
    facts: { weights: "untrained (seed 1)" },
  });
  expect(await cacheLatents.cached!(options, { ...asked, key: digestOf(parts(2)) })).toBeUndefined();
  await truncate(join(artifact.path, "rows.arrow"), 50);
  expect(await cacheLatents.cached!(options, asked)).toBeUndefined();
  await store(output.path, latents(5));
  expect(await cacheLatents.cached!(options, asked)).toBeDefined();
});

test("published: key parts of this source, newest first", async () => {
  await using output = await folder();
  const options = cacheLatents.options.parse({ output: output.path });
  expect(await cacheLatents.published!(options, SOURCE)).toEqual([]);
  for (const seed of [3, 1, 2]) await store(output.path, latents(2), seed);
  expect(await cacheLatents.published!(options, SOURCE)).toEqual([parts(2), parts(1), parts(3)]);
});

test("published: an edited source is known by its name, another is not", async () => {
  await using output = await folder();
  const options = cacheLatents.options.parse({ output: output.path });
  await store(output.path, latents(2), 1);
  const edited = { ...SOURCE, digest: digestOf("other") };
  expect(await cacheLatents.published!(options, edited)).toEqual([parts(1)]);
  expect(await cacheLatents.published!(options, { ...edited, name: "other.mp4" })).toEqual([]);
});

test("a truncated input is stored as that", async () => {
  await using output = await folder();
  await using context = task();
  const { path } = await only(
    cacheLatents({ output: output.path }).run(context)(counted(latents(3), context, "truncated")),
  );
  expect(await readMarker(path)).toMatchObject({ verdict: "truncated", detail: "ends early" });
});

test("a ledger that does not balance, a missing verdict or key, an error, an abort: nothing is left", async () => {
  await using output = await folder();
  const stop = new AbortController();
  const cases: [RegExp, (context: ReturnType<typeof task>) => AsyncGenerator<Latent>, AbortSignal?][] = [
    [
      /does not balance: sampled \+ extra = 6, but rows = 5/,
      async function* (context) {
        for await (const record of counted(latents(6), context))
          if (record.index !== 1 || record.track !== -1) yield record;
      },
    ],
    [
      /Nobody said whether clip one.mp4 was read to its end/,
      async function* () {
        yield* latents(4);
      },
    ],
    [
      /broke off/,
      async function* (context) {
        yield* counted(latents(4), context);
        throw new Error("broke off");
      },
    ],
    [
      /abort/i,
      async function* (context) {
        yield* counted(latents(4), context);
        stop.abort();
      },
      stop.signal,
    ],
  ];
  for (const [message, records, signal] of cases) {
    await using context = task(1, SOURCE, signal);
    await expect(only(cacheLatents({ output: output.path }).run(context)(records(context)))).rejects.toThrow(message);
    expect(await readdir(output.path)).toEqual([]);
  }
  await using keyless = looseContext({ source: SOURCE });
  await expect(only(cacheLatents({ output: output.path }).run(keyless)(counted(latents(1), keyless)))).rejects.toThrow(
    /the context has none/,
  );
  expect(await openFiles(output.path)).toEqual([]);
});

test("rows that nobody counted as frames are stored all the same", async () => {
  await using output = await folder();
  await using context = task();
  const records = async function* () {
    yield* latents(4);
    context.verdict("complete");
  };
  const { path } = await only(cacheLatents({ output: output.path }).run(context)(records()));
  expect((await readAll(path)).rows).toHaveLength(4);
});
