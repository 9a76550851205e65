import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openFaceStore, rowsOf } from "../../src/datasets/face-store.ts";
import { readFolds } from "../../src/datasets/fold-file.ts";
import { splitOf } from "../../src/datasets/folds.ts";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import type { Fold, Source } from "../../src/records.ts";
import { looseContext } from "../../src/stages/context.ts";
import splitFaces from "../../src/stages/split-faces.ts";
import { temporary } from "../pipelines/temporary.ts";

const RECIPE = { clips: 6, frames: 2, actors: 6, seed: 3 };

async function sourcesOf(options: Record<string, unknown>): Promise<Source[]> {
  const found: Source[] = [];
  const tools = { signal: new AbortController().signal, digest: async () => "", note() {} };
  for await (const source of splitFaces.sources!(splitFaces.options.parse(options), tools))
    found.push(source as Source);
  return found;
}

async function foldsFrom(options: Record<string, unknown>): Promise<{ folds: Fold[]; notes: string[] }> {
  const [folds, notes]: [Fold[], string[]] = [[], []];
  for (const source of await sourcesOf(options)) {
    await using context = looseContext({ source, note: (message) => notes.push(message) });
    for await (const fold of splitFaces.run(splitFaces.options.parse(options), context)(none())) folds.push(fold);
    expect(context.facts.dataset).toMatchObject({ name: "synth", faces: 12, labelled: 12, skipped: 0 });
  }
  return { folds, notes };
}

async function* none(): AsyncGenerator<never, void, void> {}

describe("split-faces", () => {
  it.each(["afew-va", "sewa"] as const)(
    "parts drawn faces in the layout of %s by people, cut out once",
    async (layout) => {
      const place = await temporary();
      const data = path.join(place, "data");
      await synthFaces({ ...RECIPE, layout, output: data });
      const options = { dataset: "synth", data, folds: 3, store: path.join(place, "store"), side: 16 };
      const { folds } = await foldsFrom(options);
      expect(folds.map(({ fold }) => fold)).toEqual([0, 1, 2]);
      expect(new Set(folds.map(({ store }) => store)).size).toBe(1);
      await using store = await openFaceStore(folds[0]!.store);
      const split = await readFolds(folds[0]!.split);
      const rows = folds.map(({ fold }) => rowsOf(store, splitOf(split.folds, fold).test));
      // Every face is tested once.
      expect(rows.flatMap((some) => [...some]).sort((a, b) => a - b)).toEqual([...Array(12).keys()]);
      const people = rows.map((some) => new Set([...some].map((row) => store.clips[store.clipOf[row]!]!.group)));
      expect(people.reduce((sum, { size }) => sum + size, 0)).toBe(new Set(store.clips.map(({ group }) => group)).size);
      const marker = await readFile(path.join(folds[0]!.store, "marker.json"), "utf8");
      await foldsFrom(options);
      expect(await readFile(path.join(folds[0]!.store, "marker.json"), "utf8")).toBe(marker);
    },
  );

  it("names each fold by what decides it: data, folds and seed", async () => {
    const data = path.join(await temporary(), "data");
    await synthFaces({ ...RECIPE, output: data });
    const options = { dataset: "synth", data, folds: 3 };
    const all = await sourcesOf(options);
    expect(all.map(({ name }) => name)).toEqual(["synth/fold-0", "synth/fold-1", "synth/fold-2"]);
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(3);
    expect(await sourcesOf({ ...options, fold: "1" })).toEqual([all[1]]);
    expect((await sourcesOf({ ...options, seed: 2 }))[0]!.digest).not.toBe(all[0]!.digest);
    await expect(sourcesOf({ ...options, fold: "3" })).rejects.toThrow("There is no fold 3.");
  });

  it("says so when the folder holds no such data", async () => {
    const data = path.join(await temporary(), "data");
    await mkdir(data);
    await expect(sourcesOf({ dataset: "afew-va", data })).rejects.toThrow(/no AFEW-VA clip/);
    await expect(sourcesOf({ dataset: "synth", data })).rejects.toThrow(/oracle\.json/);
  });
});
