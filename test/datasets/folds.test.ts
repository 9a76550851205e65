import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldsOf, matchFolds, readFolds, writeFolds } from "../../src/datasets/fold-file.ts";
import { makeFolds, splitOf } from "../../src/datasets/folds.ts";
import type { Dataset, LabelledClip } from "../../src/datasets/types.ts";
import { PipeError } from "../../src/errors.ts";
import { folder, put } from "./trees.ts";

const clip = (id: string, group: string, frames: number): LabelledClip => ({
  id,
  group,
  media: { kind: "video", path: `/data/${id}.mp4`, first: 0, rate: 50 },
  frames: Array.from({ length: frames }, (_, i) => ({
    id: i,
    valence: 0,
    arousal: 0,
    landmarks: Float32Array.of(i),
  })),
});

const dataset = (clips: readonly LabelledClip[], folder = "/data"): Dataset => ({
  name: "afew-va",
  folder,
  range: { valence: [-10, 10], arousal: [-10, 10] },
  points: 68,
  clips,
  labelled: clips.reduce((sum, one) => sum + one.frames.length, 0),
  skipped: [],
  notes: [],
});

/** A number of folds, and clips of at least as many groups. */
const cases = fc.integer({ min: 3, max: 7 }).chain((folds) =>
  fc
    .array(fc.record({ group: fc.integer({ min: 0, max: 20 }), frames: fc.integer({ min: 1, max: 200 }) }), {
      maxLength: 40,
    })
    .map((more) => [...Array.from({ length: folds }, (_, i) => ({ group: 100 + i, frames: 1 + 13 * i })), ...more])
    .map((list) => ({ folds, clips: list.map(({ group, frames }, i) => clip(`clip ${i}`, `actor ${group}`, frames)) })),
);

const sizes = (clips: readonly LabelledClip[]): Map<string, number> => {
  const all = new Map<string, number>();
  for (const { group, frames } of clips) all.set(group, (all.get(group) ?? 0) + frames.length);
  return all;
};

describe("folds", () => {
  it("put every clip into exactly one fold and no group into two", () => {
    fc.assert(
      fc.property(cases, fc.integer(), ({ folds: count, clips }, seed) => {
        const folds = makeFolds(clips, { folds: count, seed });
        expect(folds).toHaveLength(count);
        expect(folds.flatMap((fold) => fold.clips).sort()).toEqual(clips.map(({ id }) => id).sort());
        for (const { id, group } of clips) {
          const homes = folds.filter((fold) => fold.clips.includes(id) || fold.groups.includes(group));
          expect(homes).toHaveLength(1);
        }
        for (const fold of folds) {
          const own = clips.filter(({ id }) => fold.clips.includes(id));
          expect(fold.groups).toEqual([...new Set(own.map(({ group }) => group))].sort());
          expect(fold.frames).toBe(own.reduce((sum, { frames }) => sum + frames.length, 0));
        }
      }),
    );
  });

  it("differ by no more frames than the largest group has", () => {
    fc.assert(
      fc.property(cases, fc.integer(), ({ folds: count, clips }, seed) => {
        const frames = makeFolds(clips, { folds: count, seed }).map((fold) => fold.frames);
        expect(Math.max(...frames) - Math.min(...frames)).toBeLessThanOrEqual(Math.max(...sizes(clips).values()));
      }),
    );
  });

  it("do not depend on the order in which clips were found, and do on the seed", () => {
    fc.assert(
      fc.property(cases, fc.integer(), ({ folds, clips }, seed) => {
        expect(makeFolds([...clips].reverse(), { folds, seed })).toEqual(makeFolds(clips, { folds, seed }));
      }),
    );
    const alike = Array.from({ length: 30 }, (_, i) => clip(`c${i}`, `g${i}`, 10 + (i % 3)));
    expect(makeFolds(alike, { seed: 1 })).not.toEqual(makeFolds(alike, { seed: 2 }));
  });

  it("split into training, validation and test sets that share no group and miss no clip", () => {
    fc.assert(
      fc.property(cases, fc.integer(), ({ folds: count, clips }, seed) => {
        const folds = makeFolds(clips, { folds: count, seed });
        const group = new Map(clips.map((one) => [one.id, one.group]));
        for (let test = 0; test < count; test++) {
          const parts = Object.values(splitOf(folds, test)) as string[][];
          expect(parts.flat().sort()).toEqual(clips.map(({ id }) => id).sort());
          const groups = parts.map((part) => new Set(part.map((id) => group.get(id))));
          for (const [i, one] of groups.entries())
            for (const other of groups.slice(i + 1)) expect(disjoint(one, other)).toBe(true);
          expect(parts.every((part) => part.length > 0)).toBe(true);
          expect(splitOf(folds, test).test).toEqual(folds[test]!.clips);
        }
      }),
      { numRuns: 30 },
    );
    expect(() =>
      splitOf(makeFolds([clip("a", "a", 1), clip("b", "b", 1), clip("c", "c", 1)], { folds: 3, seed: 0 }), 3),
    ).toThrow("There is no fold 3");
  });

  it("refuses fewer groups than folds, and fewer than three folds", () => {
    const clips = [clip("a", "x", 3), clip("b", "x", 4), clip("c", "y", 2), clip("d", "z", 2)];
    expect(() => makeFolds(clips, { seed: 1 })).toThrow("3 groups (actors or sessions) cannot fill 5 folds");
    expect(() => makeFolds([], { seed: 1 })).toThrow(PipeError);
    expect(() => makeFolds(clips, { folds: 2, seed: 1 })).toThrow("2 folds cannot be made");
    expect(makeFolds(clips, { folds: 3, seed: 1 }).map(({ groups }) => groups.length)).toEqual([1, 1, 1]);
  });
});

describe("the fold file", () => {
  const clips = Array.from({ length: 12 }, (_, i) => clip(`c${i}`, `g${i % 7}`, 5 + i));

  it("has the same bytes for the same seed, wherever the dataset lies, and comes back as it was", async () => {
    await using at = await folder();
    const folds = foldsOf(dataset(clips), { seed: 3 });
    await writeFolds(join(at.path, "one.json"), folds);
    const moved = clips.map((one) => ({ ...one, media: { ...one.media, path: `/else/${one.id}.mp4` } as never }));
    await writeFolds(join(at.path, "deep/two.json"), foldsOf(dataset(moved, "/else"), { seed: 3 }));
    const bytes = await readFile(join(at.path, "one.json"), "utf8");
    expect(await readFile(join(at.path, "deep/two.json"), "utf8")).toBe(bytes);
    const back = await readFolds(join(at.path, "one.json"));
    expect(back).toEqual(folds);
    matchFolds(back, clips);
    expect(back.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is refused when it was changed, is none, or is not there", async () => {
    await using at = await folder();
    const path = join(at.path, "folds.json");
    await expect(readFolds(path)).rejects.toThrow("the folds cannot be read");
    await writeFolds(path, foldsOf(dataset(clips), { seed: 3 }));
    const text = await readFile(path, "utf8");
    await put(path, text.replace('"c3"', '"c4"'));
    await expect(readFolds(path)).rejects.toThrow("was changed after it was written");
    await put(path, "{}");
    await expect(readFolds(path)).rejects.toThrow("is not a fold file");
    await put(path, text.slice(0, -20));
    await expect(readFolds(path)).rejects.toThrow(PipeError);
  });

  it("is matched with the clips of the dataset", () => {
    const folds = foldsOf(dataset(clips), { seed: 3 });
    expect(() => matchFolds(folds, clips.slice(1))).toThrow("clip c0 is not in the dataset");
    expect(() => matchFolds(folds, [...clips, clip("new", "g1", 2)])).toThrow("clip new is in no fold");
    const one = clips.map((each) => ({ ...each, group: "everybody" }));
    expect(() => matchFolds(folds, one)).toThrow(/everybody stands in folds \d and \d.*and \d+ more/);
    const twice = {
      ...folds,
      folds: folds.folds.map((fold, i) => (i === 0 ? { ...fold, clips: [...fold.clips, "c0", "c0"] } : fold)),
    };
    expect(() => matchFolds(twice, clips)).toThrow("clip c0 is in it twice");
    const own = { ...folds, folds: folds.folds.map((fold, i) => ({ ...fold, validation: i })) };
    expect(() => matchFolds(own, clips)).toThrow("fold 0 is validated by fold 0");
  });
});

function disjoint<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return [...a].every((one) => !b.has(one));
}
