import fc from "fast-check";
import { expect, it } from "vitest";
import { intervalsOf, limitOf, usualOf } from "../../src/cache/rhythm.ts";
import { windowsOf } from "../../src/cache/windows.ts";
import type { Pace } from "../../src/systems/pace.ts";
import type { FaceScore, StepWindow } from "../../src/systems/scoring.ts";
import { FRAMES, trackScores } from "../../src/systems/track-scores.ts";

interface Row {
  index: number;
  pts: number;
  track: number;
  shot: number;
}
type Fed = readonly [Row, Float32Array | null];

const score = (valence: number): FaceScore => ({
  valence,
  arousal: null,
  quadrant: null,
  confidence: null,
  entropy: null,
  expression: null,
});

/** A model whose answer for a step tells the whole window and the step's place in it. */
function fake(n: number, interval: number | null = null) {
  const windows: (number | null)[][] = [];
  return {
    windows,
    n,
    interval,
    async finish(window: StepWindow) {
      expect(window).toHaveLength(n);
      windows.push(window.map((each) => each?.[0] ?? null));
      return window.map((_, i) => score((windows.length - 1) * 1000 + i));
    },
  };
}

async function go(rows: readonly Fed[], n: number, stride = n, interval: number | null = null) {
  const model = fake(n, interval);
  const paces: Pace[] = [];
  const out: (readonly [Row, FaceScore | null])[] = [];
  for await (const each of trackScores(
    (async function* () {
      yield* rows;
    })(),
    model,
    { gap: 200_000, stride, paced: (pace) => paces.push(pace) },
  ))
    out.push(each);
  return { out, windows: model.windows, paces };
}

const step = (index: number, track: number, value: number | null, pts = index * 40_000): Fed => [
  { index, pts, track, shot: 0 },
  value === null ? null : Float32Array.of(value),
];

const distinctFrames = (rows: readonly Fed[]): Row[] =>
  rows.map(([row]) => row).filter((row, i, all) => row.index !== all[i - 1]?.index);

it("windows follow one another; the last one reaches back, and scores only what is left", async () => {
  const { out, windows } = await go(
    [0, 1, 2, 3, 4, 5, 6].map((i) => step(i, 0, i)),
    3,
  );
  expect(windows).toEqual([
    [0, 1, 2],
    [3, 4, 5],
    [4, 5, 6],
  ]);
  expect(out.map(([, said]) => said!.valence)).toEqual([0, 1, 2, 1000, 1001, 1002, 2002]);
});

it("a window for each step: the first scores all of its steps, the others their last", async () => {
  const rows = [0, 1, 2, 3, 4].map((i) => step(i, 0, i));
  const { out, windows } = await go(rows, 3, 1);
  expect(windows).toEqual([
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
  ]);
  expect(out.map(([, said]) => said!.valence)).toEqual([0, 1, 2, 1002, 2002]);
  const twos = await go([...rows, step(5, 0, 5)], 4, 2);
  expect(twos.windows).toEqual([
    [0, 1, 2, 3],
    [2, 3, 4, 5],
  ]);
  expect(twos.out.map(([, said]) => said!.valence)).toEqual([0, 1, 2, 3, 1002, 1003]);
});

it("a short track gives one window that is filled up", async () => {
  const { out, windows } = await go([step(0, 4, 7), step(1, 4, 8)], 5);
  expect(windows).toEqual([[7, 8, null, null, null]]);
  expect(out.map(([, said]) => said!.valence)).toEqual([0, 1]);
  expect((await go([], 5)).out).toEqual([]);
});

it("frames without the face are missing steps; a long hole begins anew", async () => {
  const rows = [
    step(0, 0, 0),
    step(1, -1, null),
    step(2, 0, 2),
    step(3, 0, null),
    step(4, 0, 4),
    step(5, 0, 5, 900_000),
    step(6, 0, 6, 940_000),
  ];
  const { out, windows } = await go(rows, 5);
  expect(windows).toEqual([
    [0, null, 2, null, 4],
    [5, 6, null, null, null],
  ]);
  expect(out.map(([, said]) => said?.valence ?? null)).toEqual([0, null, 2, null, 4, 1000, 1001]);
});

it("any tracks: rows keep their order, every face has one score, from a window of its own track that holds it", async () => {
  const frames = fc.array(
    fc.record({
      tracks: fc.uniqueArray(fc.nat(2), { maxLength: 3 }),
      missed: fc.boolean(),
      wait: fc.constantFrom(40, 40, 40, 150, 900),
    }),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 6 }), fc.nat(5), async (all, n, less) => {
      const stride = Math.max(1, n - less);
      let pts = 0;
      const rows: Fed[] = all.flatMap(({ tracks, missed, wait }, index) => {
        pts += wait * 1000;
        if (tracks.length === 0) return [step(index, -1, null, pts)];
        return [...tracks]
          .sort()
          .map((track) => step(index, track, missed && track === 1 ? null : index * 3 + track, pts));
      });
      const limit = limitOf(200_000, usualOf(intervalsOf(distinctFrames(rows))));
      const { out, windows } = await go(rows, n, stride);
      expect(out.map(([row]) => row)).toEqual(rows.map(([row]) => row));
      for (const [i, [row, said]] of out.entries()) {
        const features = rows[i]![1];
        expect(said === null).toBe(features === null);
        if (said === null) continue;
        const window = windows[Math.floor(said.valence! / 1000)]!;
        expect(window[said.valence! % 1000]).toBe(features![0]);
        const others = window.filter((value) => value !== null);
        for (const other of others) expect(other % 3).toBe(row.track);
        const times = others.map((value) => rows.find(([, own]) => own?.[0] === value)![0].pts).sort((a, b) => a - b);
        const known = rows.filter(([own]) => own.track === row.track).map(([own]) => own.pts);
        for (let k = 1; k < times.length; k++) {
          const between = known.filter((at) => at >= times[k - 1]! && at <= times[k]!);
          for (let m = 1; m < between.length; m++) expect(between[m]! - between[m - 1]!).toBeLessThanOrEqual(limit);
        }
      }
      const answers = out.flatMap(([, said]) => (said === null ? [] : [said.valence]));
      expect(new Set(answers).size).toBe(answers.length);
    }),
    { numRuns: 200 },
  );
});

it("holds no more than a window, a gap, and the frames that say what is usual", async () => {
  let fed = 0;
  let most = 0;
  let given = 0;
  const rows = (async function* () {
    for (let i = 0; i < 500; i++) {
      fed += 1;
      most = Math.max(most, fed - given);
      yield step(i, i < 250 ? 0 : 1, i);
    }
  })();
  for await (const _ of trackScores(rows, fake(8), { gap: 200_000, stride: 8 })) given += 1;
  expect(given).toBe(500);
  expect(most).toBeLessThan(FRAMES + 8 + 8 + 8);
});

it("a video sampled at 5 of its 29.97 frames a second is one run, though each step is longer than the gap", async () => {
  const rows = Array.from({ length: 12 }, (_, i) => step(6 * i, 0, i, Math.round((6 * i * 1_001_000) / 30)));
  const { windows } = await go(rows, 8, 1);
  expect(windows).toHaveLength(5);
  expect(windows[0]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(windows[4]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
});

it("any rows: the windows that are scored are those that training cuts", async () => {
  const frames = fc.array(
    fc.record({
      tracks: fc.uniqueArray(fc.nat(1), { maxLength: 2 }),
      empty: fc.boolean(),
      wait: fc.constantFrom(33, 33, 33, 33, 66, 250, 900),
      cut: fc.integer({ min: 0, max: 9 }),
    }),
    { maxLength: FRAMES },
  );
  const args = [frames, fc.integer({ min: 1, max: 5 }), fc.nat(4), fc.constantFrom(1, 10)] as const;
  await fc.assert(
    fc.asyncProperty(...args, async (all, n, less, slower) => {
      const stride = Math.max(1, n - less);
      let [pts, shot, place] = [0, 0, 0];
      const rows: Fed[] = all.flatMap(({ tracks, empty, wait, cut }, index) => {
        pts += wait * slower * 1000;
        shot += cut === 0 ? 1 : 0;
        const at = (track: number, has: boolean): Fed => [
          { index, pts, track, shot },
          has ? Float32Array.of(place++) : null,
        ];
        return tracks.length === 0 ? [at(-1, false)] : tracks.map((track) => at(track, !(empty && track === 1)));
      });
      const cuts = rows.map(([row, value]) => ({
        ...row,
        ...(value && { place: { folder: "/a", row: value[0]! } }),
      }));
      const of = { source: "a", clip: null, folder: "/a", shape: [1] };
      const expected = [...windowsOf(cuts, of, { lengths: { n: [n] }, gap: 200, stride })].filter(
        ({ present, fresh, length }) => present.slice(fresh, length).some((one) => one === 1),
      );
      const text = (window: readonly (number | null)[]) => window.map((value) => value ?? "-").join(" ");
      const { windows } = await go(rows, n, stride);
      expect(windows.map(text).sort()).toEqual(
        expected.map(({ rows }) => text([...rows].map((row) => (row < 0 ? null : row)))).sort(),
      );
    }),
    { numRuns: 300 },
  );
});

it("frames closer than the model's steps: each face ends a window of the frames nearest to its steps", async () => {
  const times = fc.array(fc.record({ wait: fc.integer({ min: 5, max: 15 }), face: fc.boolean() }), {
    minLength: 2,
    maxLength: 150,
  });
  await fc.assert(
    fc.asyncProperty(times, fc.integer({ min: 1, max: 4 }), async (all, n) => {
      let pts = 0;
      const rows = all.map(({ wait, face }, index) => {
        pts += wait * 1000;
        return face ? step(index, 0, index, pts) : step(index, -1, null, pts);
      });
      const { out, windows, paces } = await go(rows, n, n, 40_000);
      expect(paces.map(({ way }) => way)).toEqual(["nearest"]);
      // Long holes are another test's.
      const faces = rows.filter(([, value]) => value !== null);
      if (faces.some(([{ pts }], i) => i > 0 && pts - faces[i - 1]![0].pts > 200_000)) return;
      const expected = faces.map(([{ pts }], i) => {
        const seen = faces.slice(0, i + 1);
        const steps: (number | null)[] = [];
        for (let back = 0; back < n && pts - back * 40_000 >= faces[0]![0].pts - 20_000; back++) {
          const off = ([row]: Fed) => Math.abs(row.pts - (pts - back * 40_000));
          const near = seen.filter((one) => off(one) <= 20_000).sort((a, b) => off(a) - off(b) || b[0].pts - a[0].pts);
          steps.unshift(near[0]?.[1]?.[0] ?? null);
        }
        return [...steps, ...new Array<null>(n - steps.length).fill(null)];
      });
      expect(windows).toEqual(expected);
      expect(out.map(([row]) => row)).toEqual(rows.map(([row]) => row));
      const places = out.flatMap(([, said]) => (said === null ? [] : [said.valence! % 1000]));
      expect(places.map((at, i) => windows[i]![at])).toEqual(faces.map(([, value]) => value![0]));
    }),
    { numRuns: 200 },
  );
});

it("says how the source's rate goes with the model's", async () => {
  const way = async (tick: number, interval: number | null, frames = 10) =>
    (
      await go(
        Array.from({ length: frames }, (_, i) => step(i, 0, i, i * tick)),
        4,
        1,
        interval,
      )
    ).paces;
  expect(await way(40_000, 20_000)).toEqual([{ frames: 40_000, steps: 20_000, way: "coarse" }]);
  expect(await way(33_367, 33_333)).toEqual([{ frames: 33_367, steps: 33_333, way: "each" }]);
  expect(await way(33_367, 40_000, 200)).toEqual([{ frames: 33_367, steps: 40_000, way: "nearest" }]);
  expect(await way(40_000, null)).toEqual([{ frames: 40_000, steps: null, way: "each" }]);
  expect(await way(40_000, 20_000, 1)).toEqual([{ frames: Number.NaN, steps: 20_000, way: "each" }]);
});
