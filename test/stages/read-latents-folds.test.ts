import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { digestFile, digestOf, type Json } from "../../src/digest.ts";
import type { PipeError } from "../../src/errors.ts";
import type { FoldedClip, Latent, Refused, Source } from "../../src/records.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import readLatents from "../../src/stages/read-latents.ts";
import { folder, latents, openFiles } from "../cache/helpers.ts";
import { counted, only, SOURCE, task } from "./cached.ts";

const RANGE = { valence: [-10, 10], arousal: [-10, 10] };
const PARTS = ["test", "validation", "training", "training"] as const;

/** Clip `id` as fold `fold` of four sees it; clip 0 is of fold 0, and so on. */
const clip = (id: number, fold: number, split = "split"): FoldedClip => ({
  id: `clip ${id}`,
  group: `person ${id}`,
  fold,
  folds: 4,
  part: PARTS[(id - fold + 4) % 4]!,
  digest: digestOf([split, fold]),
  labelled: 9,
});

async function store(
  output: string,
  name: string,
  facts: Record<string, Json>,
  more: { seed?: number; rows?: number } = {},
) {
  const source: Source = {
    ...SOURCE,
    name,
    digest: digestOf([name, (facts.clip as { digest?: string })?.digest ?? null]),
  };
  await using context = task(more.seed ?? 1, source);
  Object.assign(context.facts, facts);
  return (await only(cacheLatents({ output }).run(context)(counted(latents(more.rows ?? 5), context)))).path;
}

/** Four clips, each once for each fold; latents of every fold are of its own model. */
async function storeFolds(output: string, folds = [0, 1, 2, 3]): Promise<Map<string, string>> {
  const stored = folds.flatMap((fold) =>
    [2, 0, 3, 1].map(async (id): Promise<[string, string]> => {
      const name = `fold-${fold}/clip ${id}`;
      const facts = { clip: { ...clip(id, fold) }, range: RANGE, weights: `fold ${fold}` };
      return [name, await store(output, name, facts, { seed: fold, rows: 3 + id })];
    }),
  );
  return new Map(await Promise.all(stored));
}

const video = (output: string, name: string, facts: Record<string, Json> = {}) =>
  store(output, name, { labelled: 4, range: RANGE, ...facts });

async function sources(input: string, options = {}, notes: string[] = []): Promise<(Source | Refused)[]> {
  const found: (Source | Refused)[] = [];
  const parsed = readLatents.options.parse({ input, by: "fold", ...options });
  const tools = { signal: new AbortController().signal, digest: digestFile, note: (line: string) => notes.push(line) };
  for await (const one of readLatents.sources!(parsed, tools)) found.push(one);
  return found;
}

async function read(input: string, source: Source, options = {}, context = task(1, source)): Promise<Latent[]> {
  const found: Latent[] = [];
  await using _ = context;
  for await (const one of readLatents({ input, by: "fold", ...options }).run(context)(none())) found.push(one);
  return found;
}

async function* none(): AsyncGenerator<never> {}

/** Clip and part of what was read, each once. */
const parts = (found: readonly Latent[]) => [...new Set(found.map(({ clip }) => `${clip!.id}: ${clip!.part}`))];

const refusal = async (input: string, options = {}): Promise<PipeError> =>
  sources(input, options).then(
    () => Promise.reject(new Error("was not refused")),
    (error) => error,
  );

test("one task a fold, with all of its clips, each latent knowing whose it is", async () => {
  await using output = await folder();
  const paths = await storeFolds(output.path);
  const found = (await sources(output.path)) as Source[];
  expect(found.map(({ name }) => name)).toEqual(["fold-0", "fold-1", "fold-2", "fold-3"]);
  await using context = task(1, found[2]!);
  const all = await read(output.path, found[2]!, { values: false }, context);
  expect(parts(all)).toEqual(["clip 0: training", "clip 1: training", "clip 2: test", "clip 3: validation"]);
  expect(all).toHaveLength(3 + 4 + 5 + 6);
  const ofTwo = all.filter(({ clip }) => clip!.id === "clip 2");
  const folder2 = paths.get("fold-2/clip 2")!;
  expect(ofTwo.map(({ source, z, place }) => [source, z, place])).toEqual(
    latents(5).map(({ z }, i) => [
      "fold-2/clip 2",
      null,
      z ? { folder: folder2, row: i - (i > 2 ? 1 : 0) } : undefined,
    ]),
  );
  expect(context.facts).toEqual({
    range: RANGE,
    weights: "fold 2",
    fold: { fold: 2, folds: 4, digest: digestOf(["split", 2]), clips: 4 },
  });
  expect(context.ending).toEqual({ verdict: "complete" });
  for (const { status } of all) context.ledger.row(status);
  context.ledger.check();
  const valued = await read(output.path, found[2]!);
  expect(valued.map(({ z: _, ...rest }) => rest)).toEqual(all.map(({ z: _, ...rest }) => rest));
  expect(valued.filter(({ z }) => z !== null)).toHaveLength(all.filter(({ place }) => place).length);
  expect(await openFiles(output.path)).toEqual([]);
});

test("a fold's digest is that of what it holds: not of other folds, nor of which folds are asked for", async () => {
  await using output = await folder();
  await using elsewhere = await folder();
  const paths = await storeFolds(output.path);
  await storeFolds(elsewhere.path, [1]);
  const all = (await sources(output.path)) as Source[];
  expect(new Set(all.map(({ digest }) => digest)).size).toBe(4);
  const [one] = (await sources(output.path, { fold: 1 })) as [Source];
  const [alone] = (await sources(elsewhere.path)) as [Source];
  expect([one.name, one.digest]).toEqual(["fold-1", all[1]!.digest]);
  expect(alone.digest).toBe(one.digest);
  expect((await refusal(output.path, { fold: 4 })).hint).toBe("There are those of fold 0, 1, 2, 3.");
  // Written to in between: the task is no longer what was planned.
  await writeFile(join(paths.get("fold-1/clip 0")!, "..", "x"), "");
  const other = { ...one, digest: digestOf("another") };
  await expect(read(output.path, other)).rejects.toThrow("was written to after its folds were looked at");
});

test("by source, a part of a fold's people", async () => {
  await using output = await folder();
  await storeFolds(output.path);
  const found = (await sources(output.path, { by: "source", fold: 1, part: "training" })) as Source[];
  expect(found.map(({ name, clip }) => [name, clip?.part])).toEqual(
    [
      ["fold-1/clip 0", "training"],
      ["fold-1/clip 3", "training"],
    ].sort(),
  );
  const error = await refusal(output.path, { part: "test" });
  expect(error.message).toMatch("gives a fold whole");
});

test("broken entries are refused by name before anything is trained on, broken shards when their fold is read", async () => {
  await using output = await folder();
  const paths = await storeFolds(output.path);
  const found = (await sources(output.path)) as Source[];
  await truncate(join(paths.get("fold-3/clip 1")!, "z-00000.arrow"), 40);
  await expect(read(output.path, found[3]!, { values: false })).rejects.toThrow(
    /is not an intact cache entry: z-00000.arrow is truncated/,
  );
  expect(await read(output.path, found[0]!)).toHaveLength(18);
  await writeFile(join(paths.get("fold-0/clip 0")!, "marker.json"), "{}");
  const { message, hint } = await refusal(output.path);
  expect(message).toMatch(/^1 entry in .* cannot be read: [0-9a-f]{16}\/[0-9a-f]{16}: marker.json was changed/);
  expect(hint).toMatch("it replaces broken entries");
});

test("latents that do not go together are refused", async () => {
  await using recipes = await folder();
  await storeFolds(recipes.path);
  await store(recipes.path, "fold-1/clip 9", { clip: { ...clip(9, 1) }, range: RANGE }, { seed: 9 });
  expect((await refusal(recipes.path)).message).toMatch("made in 2 ways");

  await using splits = await folder();
  await storeFolds(splits.path, [1]);
  await store(splits.path, "fold-1/clip 0", { clip: { ...clip(0, 1, "another split") }, range: RANGE }, { seed: 1 });
  expect((await refusal(splits.path)).message).toBe("The latents of fold 1 are of 2 splits, which do not go together.");

  await using ranges = await folder();
  for (const [i, name] of ["a", "b", "c"].entries())
    await video(ranges.path, name, { range: i === 1 ? { valence: [0, 1], arousal: [-1, 1] } : RANGE });
  expect((await refusal(ranges.path)).message).toMatch(/b .*from 0 to 1 \(valence\).* not in one unit/);

  await using mixed = await folder();
  await storeFolds(mixed.path, [0]);
  await store(mixed.path, "a.mp4", { labelled: 3 }, { seed: 0 });
  expect((await refusal(mixed.path)).message).toMatch(/folds and of other videos.*: fold-0\/clip \d and a.mp4/);

  await using partial = await folder();
  for (const id of [0, 2]) await store(partial.path, `clip ${id}`, { clip: { ...clip(id, 0) } });
  expect((await refusal(partial.path)).message).toBe("Fold 0 has no latents of its validation people.");
});

test("a fold that lacks clips of the others says so", async () => {
  await using output = await folder();
  await storeFolds(output.path);
  await store(output.path, "fold-2/clip 4", { clip: { ...clip(4, 2) }, range: RANGE }, { seed: 2 });
  const notes: string[] = [];
  await sources(output.path, {}, notes);
  expect(notes).toEqual([0, 1, 3].map((fold) => `fold ${fold} lacks 1 of the 5 clips that other folds have.`));
});

test("labelled videos are parted by the people that their label files name, or one by one", async () => {
  await using output = await folder();
  await video(output.path, "a.mp4", { subject: "Ann", subjects: { 0: "Ann" } });
  await video(output.path, "b.mp4", { subject: "Ben" });
  await video(output.path, "c.mp4", { subjects: { 0: "Ann", 2: "Cleo" } });
  await video(output.path, "d.mp4", { subjects: { 0: "Dan" }, people: ["Cleo", "Dan"] });
  await Promise.all(["e.mp4", "f.mp4", "g.mp4"].map((name) => video(output.path, name)));
  await store(output.path, "unlabelled.mp4", {});
  const notes: string[] = [];
  const found = (await sources(output.path, { folds: 9 }, notes)) as Source[];
  expect(notes).toEqual([
    "7 labelled videos of 5 people are parted into 5 folds (seed 1), fewer than 9, since nobody may stand in two; 1 without labels are left out.",
  ]);
  const tested: string[] = [];
  for (const source of found) {
    const all = await read(output.path, source, { folds: 9, values: false });
    const of = (part: string) => parts(all).filter((line) => line.endsWith(`: ${part}`));
    expect(parts(all)).toHaveLength(7);
    expect(of("training").length + of("validation").length + of("test").length).toBe(7);
    // Ann and Cleo share a video, so that neither may be tested by what learned from the other.
    expect(new Set(all.filter(({ clip }) => /[acd].mp4/.test(clip!.id)).map(({ clip }) => clip!.part)).size).toBe(1);
    expect(new Set(all.map(({ clip }) => clip!.digest)).size).toBe(1);
    tested.push(...of("test"));
  }
  expect(tested.sort()).toEqual("abcdefg".split("").map((name) => `${name}.mp4: test`));
  const again = (await sources(output.path, { folds: 9 })) as Source[];
  expect(again).toEqual(found);
  const seeds = new Set<string>();
  for (let seed = 0; seed < 6; seed++)
    seeds.add(((await sources(output.path, { splitSeed: seed })) as Source[])[0]!.digest);
  expect(seeds.size).toBeGreaterThan(1);
});

test("Ada, ada and Zoë in two Unicode forms are one person each, and stay in one fold", async () => {
  await using output = await folder();
  await video(output.path, "a.mp4", { subject: "Ada" });
  await video(output.path, "b.mp4", { subject: "ada " });
  await video(output.path, "c.mp4", { subjects: { 0: "Zoe\u0308" } });
  await video(output.path, "d.mp4", { people: ["Zo\u00eb"] });
  await Promise.all(["e.mp4", "f.mp4"].map((name) => video(output.path, name)));
  const notes: string[] = [];
  const found = (await sources(output.path, {}, notes)) as Source[];
  expect(notes).toEqual([
    'the label files name "Zoe\u0308" and "Zo\u00eb": they are taken for one person.',
    'the label files name "Ada" and "ada ": they are taken for one person.',
    "6 labelled videos of 4 people are parted into 4 folds (seed 1), fewer than 5, since nobody may stand in two.",
  ]);
  for (const source of found) {
    const all = await read(output.path, source, { values: false });
    const partOf = new Map(all.map(({ clip }) => [clip!.id, clip!.part]));
    expect(partOf.get("a.mp4")).toBe(partOf.get("b.mp4"));
    expect(partOf.get("c.mp4")).toBe(partOf.get("d.mp4"));
  }
});

test("two videos of one name stay apart; one video under two label files is refused", async () => {
  await using output = await folder();
  for (const [i, name] of ["a.mp4", "b.mp4"].entries()) await video(output.path, name, { subject: `${i}` });
  const label = async (file: string, labelled = 2) => {
    const source: Source = { ...SOURCE, name: "a.mp4", digest: digestOf("other bytes") };
    await using context = task(1, source);
    // A label file is part of the key, and not of the recipe.
    const own = Object.create(context, { key: { value: digestOf(file) } }) as typeof context;
    Object.assign(context.facts, labelled > 0 ? { labelled, range: RANGE } : {});
    await only(cacheLatents({ output: output.path }).run(own)(counted(latents(4), context)));
  };
  // Before it had any, and since.
  await label("none", 0);
  await label("first");
  const notes: string[] = [];
  const [fold] = (await sources(output.path, {}, notes)) as [Source];
  expect(notes).toEqual([expect.not.stringMatching("without labels")]);
  const names = new Set((await read(output.path, fold)).map(({ clip }) => clip!.id));
  expect([...names].sort()).toEqual(
    [
      `a.mp4 (${digestOf(["a.mp4", null]).slice(0, 8)})`,
      `a.mp4 (${digestOf("other bytes").slice(0, 8)})`,
      "b.mp4",
    ].sort(),
  );
  await label("second");
  expect((await refusal(output.path)).message).toMatch("a.mp4 is in the cache twice, made of other labels: ");
});

test("videos without labels, or of too few people, tell what to do", async () => {
  await using output = await folder();
  for (const name of ["a.mp4", "b.mp4", "c.mp4"]) await store(output.path, name, {});
  const error = await refusal(output.path);
  expect(error.message).toBe("None of the 3 cached videos has labels, and there is nothing to learn.");
  expect(error.hint).toMatch("clip.labels.csv beside each clip.mp4");
  await video(output.path, "d.mp4");
  await video(output.path, "e.mp4");
  expect((await refusal(output.path)).message).toMatch("The 2 labelled videos are of 2 people");
});
