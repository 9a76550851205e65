import fc from "fast-check";
import { expect, it } from "vitest";
import type { FaceScore, StepWindow } from "../../src/systems/scoring.ts";
import { trackScores } from "../../src/systems/track-scores.ts";

interface Row {
  index: number;
  pts: number;
  track: number;
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
function fake(n: number) {
  const windows: (number | null)[][] = [];
  return {
    windows,
    n,
    async finish(window: StepWindow) {
      expect(window).toHaveLength(n);
      windows.push(window.map((each) => each?.[0] ?? null));
      return window.map((_, i) => score((windows.length - 1) * 1000 + i));
    },
  };
}

async function go(rows: readonly Fed[], n: number, stride = n) {
  const model = fake(n);
  const out: (readonly [Row, FaceScore | null])[] = [];
  for await (const each of trackScores(
    (async function* () {
      yield* rows;
    })(),
    model,
    { gap: 200_000, stride },
  ))
    out.push(each);
  return { out, windows: model.windows };
}

const step = (index: number, track: number, value: number | null, pts = index * 40_000): Fed => [
  { index, pts, track },
  value === null ? null : Float32Array.of(value),
];

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
          for (let m = 1; m < between.length; m++) expect(between[m]! - between[m - 1]!).toBeLessThanOrEqual(200_000);
        }
      }
      const answers = out.flatMap(([, said]) => (said === null ? [] : [said.valence]));
      expect(new Set(answers).size).toBe(answers.length);
    }),
    { numRuns: 200 },
  );
});

it("holds no more than a window and a gap", async () => {
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
  expect(most).toBeLessThan(8 + 8 + 8);
});
