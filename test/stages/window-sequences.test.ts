import { expect, test } from "vitest";
import { digestOf } from "../../src/digest.ts";
import type { FoldedClip, Latent, Source, Window } from "../../src/records.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import readLatents from "../../src/stages/read-latents.ts";
import { toStream } from "../../src/stages/stream.ts";
import windowSequences from "../../src/stages/window-sequences.ts";
import { folder, latents } from "../cache/helpers.ts";
import { counted, only, SOURCE, task } from "./cached.ts";

const CLIP: FoldedClip = {
  id: "a",
  group: "Ann",
  fold: 0,
  folds: 3,
  part: "test",
  digest: digestOf("split"),
  labelled: 2,
};

/** A latent whose values lie at `row`. */
const latent = (index: number, row: number, more: Partial<Latent> = {}): Latent => ({
  ...latents(1)[0]!,
  index,
  pts: index * 40_000,
  track: 0,
  z: null,
  place: { folder: "/cache/of/it", row },
  ...more,
});

async function cut(records: readonly Latent[], options = {}, context = task()): Promise<Window[]> {
  const found: Window[] = [];
  await using _ = context;
  const windows = windowSequences(options).run(context)(
    (async function* () {
      yield* records;
    })(),
  );
  for await (const window of windows) found.push(window);
  return found;
}

test("windows say whose they are; rows of each source are cut by themselves", async () => {
  const of = (source: string, part: FoldedClip["part"]) => ({ source, clip: { ...CLIP, id: source, part } });
  const records = [0, 1, 2].flatMap((i) => {
    const whose = of(`clip ${i}`, i === 1 ? "test" : "training");
    return Array.from({ length: 3 }, (_, k) => latent(k, k, { ...whose, place: { folder: `/cache/${i}`, row: k } }));
  });
  const context = task();
  const windows = await cut(records, { n: [2, 4] }, context);
  expect(
    windows.map(({ source, clip, folder, n, rows, fresh }) => [source, clip?.part, folder, n, [...rows], fresh]),
  ).toEqual(
    [0, 1, 2].flatMap((i) => {
      const whose = [`clip ${i}`, i === 1 ? "test" : "training", `/cache/${i}`];
      return [
        [...whose, 2, [0, 1], 0],
        [...whose, 2, [1, 2], 1],
        [...whose, 4, [0, 1, 2, -1], 0],
      ];
    }),
  );
  expect(windows[0]!.shape).toEqual(latents(1)[0]!.shape);
  expect(context.ledger.counts.rows.ok).toBe(9);
});

test("alone, a source's windows have the task's name and clip", async () => {
  const source: Source = { ...SOURCE, clip: CLIP };
  const [window] = await cut([latent(0, 5)], { n: 1 }, task(1, source));
  expect(window).toMatchObject({ source: SOURCE.name, clip: CLIP, folder: "/cache/of/it", rows: Int32Array.of(5) });
});

test("by default eight steps; or as many as fit into a time", async () => {
  const records = Array.from({ length: 9 }, (_, i) => latent(i, i));
  expect((await cut(records)).map(({ n, fresh }) => [n, fresh])).toEqual([
    [8, 0],
    [8, 7],
  ]);
  expect((await cut(records, { n: [9, 3, 9] })).map(({ n }) => n)).toEqual([9, 3, 3, 3]);
  expect((await cut(records, { milliseconds: [160, 80] })).map(({ n }) => n)).toEqual([4, 4, 4, 2, 2, 2, 2, 2]);
  expect((await cut(records, { sliding: true, n: 2 })).map(({ length }) => length)).toEqual([
    1, 2, 2, 2, 2, 2, 2, 2, 2,
  ]);
});

test("options that contradict each other, or would leave frames out, are refused", () => {
  const message = (options: object) => windowSequences.options.safeParse(options).error?.issues[0]?.message;
  expect(message({ n: 8, milliseconds: 100 })).toMatch("is n given as time");
  expect(message({ sliding: true, stride: 2 })).toMatch("is always 1");
  expect(message({ n: [8, 2], stride: 3 })).toMatch("would never be scored");
  expect(message({ stride: 9 })).toMatch("would never be scored");
  expect(message({ n: [8, 2], stride: 2 })).toBeUndefined();
});

test("a source without a face, and one without rows, give no windows and say so", async () => {
  for (const records of [[], latents(9).map((one) => ({ ...one, z: null }))]) {
    const notes: string[] = [];
    const context = Object.create(task(), { note: { value: (line: string) => notes.push(line) } });
    expect(await cut(records, {}, context)).toEqual([]);
    expect(notes).toEqual(["there is no face in it, so that there are no windows."]);
  }
});

test("latents that are in no cache are refused", async () => {
  await expect(cut(latents(3))).rejects.toThrow("The latents of clip one.mp4 are in no cache");
});

test("from a cache: the rows of the windows are those of the latents, the ledger balances", async () => {
  await using output = await folder();
  {
    await using context = task();
    await only(cacheLatents({ output: output.path }).run(context)(counted(latents(40), context)));
  }
  const tools = { signal: new AbortController().signal, digest: async () => "", note() {} };
  for await (const source of readLatents.sources!(readLatents.options.parse({ input: output.path }), tools)) {
    await using context = task(1, source as Source);
    const windows: Window[] = [];
    const stream = toStream(readLatents({ values: false }), context).pipe(toStream(windowSequences({ n: 3 }), context));
    for await (const window of stream) windows.push(window);
    const steps = windows.flatMap(({ rows, fresh, length }) => [...rows.subarray(fresh, length)]);
    expect(steps.filter((row) => row >= 0).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    context.ledger.check();
  }
});
