import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CutRow } from "../../src/cache/runs.ts";
import { intervalOf, type WindowsOptions, windowsOf } from "../../src/cache/windows.ts";
import type { Window } from "../../src/records.ts";

/** A camera of 25 frames a second. */
const TICK = 40_000;
const OF = { source: "clip", clip: null, folder: "/cache/a/b", shape: [3, 2] };

const cut = (rows: readonly CutRow[], n: number | number[], more: Partial<WindowsOptions> = {}): Window[] => [
  ...windowsOf(rows, OF, { lengths: { n: [n].flat() }, gap: 200, ...more }),
];

/** What was scored: each step's track, time and dense position. */
const scored = (windows: readonly Window[]): string[] =>
  windows.flatMap(({ track, pts, rows, length, fresh }) =>
    Array.from({ length: length - fresh }, (_, i) => `${track} ${pts[fresh + i]} ${rows[fresh + i]}`),
  );

/** One subject, frame after frame: a letter for its state: o ok, m a row without values, . no face, _ a lost frame. */
function track(pattern: string, { from = 0, tick = TICK } = {}): CutRow[] {
  let dense = 0;
  return [...pattern].flatMap((state, i): CutRow[] => {
    if (state === "_") return [];
    const row = { index: from + i, pts: (from + i) * tick, shot: 0, label: { valence: i, arousal: -i } };
    if (state === ".") return [{ ...row, track: -1 }];
    return [{ ...row, track: 0, ...(state === "o" && { place: { folder: OF.folder, row: dense++ } }) }];
  });
}

test("the interval of windows is the usual time between their steps, of whichever there are two", () => {
  const windows = (pattern: string, tick: number) => cut(track(pattern, { tick }), 4);
  expect(intervalOf(windows("ooo_oo.oo", TICK))).toBe(TICK);
  expect(intervalOf([...windows("ooooo", 20_000), ...windows("oooooooooo", 33_367)])).toBe(33_367);
  expect(intervalOf([])).toBeNaN();
  expect(intervalOf(windows("o", TICK))).toBeNaN();
});

describe("windows of one track", () => {
  test("the last window reaches back, and scores only what no other did", () => {
    const windows = cut(track("ooooooo"), 3);
    expect(windows.map(({ rows, fresh, length }) => [[...rows], fresh, length])).toEqual([
      [[0, 1, 2], 0, 3],
      [[3, 4, 5], 0, 3],
      [[4, 5, 6], 2, 3],
    ]);
    expect([...windows[2]!.labels]).toEqual([4, -4, 5, -5, 6, -6]);
    expect([...windows[2]!.pts]).toEqual([4 * TICK, 5 * TICK, 6 * TICK]);
  });

  test("a track shorter than a window gives one, padded at its end", () => {
    const [window, ...others] = cut(track("oo"), 4);
    expect(others).toEqual([]);
    expect(window).toMatchObject({ n: 4, length: 2, fresh: 0, track: 0, ...OF });
    expect([...window!.rows]).toEqual([0, 1, -1, -1]);
    expect([...window!.index]).toEqual([0, 1, -1, -1]);
    expect([...window!.pts]).toEqual([0, TICK, Number.NaN, Number.NaN]);
    expect([...window!.present]).toEqual([1, 1, 0, 0]);
    expect([...window!.labels]).toEqual([0, -0, 1, -1, Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  });

  test("nothing, no face at all, and rows without values give no windows", () => {
    for (const pattern of ["", "...", "mmm"]) expect(cut(track(pattern), [1, 4])).toEqual([]);
    expect(cut(track("o"), [1, 4]).map(({ n, length }) => [n, length])).toEqual([
      [1, 1],
      [4, 1],
    ]);
  });

  test("small holes stay inside as missing steps, those of lost frames too; long ones part the track", () => {
    const [window] = cut(track("o.omo_oooooooooo"), 7);
    expect([...window!.rows]).toEqual([0, -1, 1, -1, 2, -1, 3]);
    expect([...window!.index]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...window!.pts]).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i * TICK));
    // A row of the track has its label even where it has no values; others have none.
    expect([...window!.labels.subarray(2, 8)]).toEqual([Number.NaN, Number.NaN, 2, -2, 3, -3]);
    expect(cut(track("o....o"), 9)).toHaveLength(1);
    expect(cut(track("o.....o"), 9)).toHaveLength(2);
    expect(cut(track("o.....o"), 9, { gap: 240 })).toHaveLength(1);
    expect(cut(track("o.o"), 9, { gap: 0 })).toHaveLength(2);
  });

  test("what is missing at its ends is no part of a track", () => {
    expect(scored(cut(track("mmoom.m"), 4))).toEqual([`0 ${2 * TICK} 0`, `0 ${3 * TICK} 1`]);
  });

  test("frames that lie far apart by choice have no holes between them", () => {
    expect(cut(track("ooooo", { tick: 1_000_000 }), 5)).toHaveLength(1);
    expect(cut(track("oo.oo", { tick: 1_000_000 }), 5)).toHaveLength(2);
    // 30 frames a second, sampled at 20: every other interval is twice as long, and nothing was lost.
    const sampled = [0, 2, 3, 5, 6, 8, 9, 11].map((index, row) => ({
      ...track("o")[0]!,
      index,
      pts: Math.round((index * 1e6) / 30),
      place: { folder: OF.folder, row },
    }));
    expect(cut(sampled, 8).map(({ rows }) => [...rows])).toEqual([[0, 1, 2, 3, 4, 5, 6, 7]]);
  });

  test("a shot change parts a track, whatever its number", () => {
    const rows = track("oooo").map((row) => ({ ...row, shot: row.index < 3 ? 0 : 1 }));
    expect(cut(rows, 4).map(({ rows }) => [...rows])).toEqual([
      [0, 1, 2, -1],
      [3, -1, -1, -1],
    ]);
  });

  test("a length in milliseconds becomes the track's own number of steps", () => {
    const of = (rows: CutRow[], milliseconds: number) => [
      ...windowsOf(rows, OF, { lengths: { milliseconds: [milliseconds] }, gap: 200 }),
    ];
    expect(of(track("oooooooooo"), 160).map(({ n }) => n)).toEqual([4, 4, 4]);
    expect(of(track("oooooooooo", { tick: 20_000 }), 160).map(({ n }) => n)).toEqual([8, 8]);
    expect(of(track("oo"), 1).map(({ n }) => n)).toEqual([1, 1]);
    expect(of(track("o"), 160).map(({ n }) => n)).toEqual([1]);
  });

  test("sliding: a window ends at every step", () => {
    const windows = cut(track("oooo"), 3, { sliding: true });
    expect(windows.map(({ rows, fresh, length }) => [[...rows], fresh, length])).toEqual([
      [[0, -1, -1], 0, 1],
      [[0, 1, -1], 1, 2],
      [[0, 1, 2], 2, 3],
      [[1, 2, 3], 2, 3],
    ]);
  });
});

/** Frames of a camera in which up to three subjects come and go; some frames were lost, some scenes are cut. */
const scene = fc
  .array(
    fc.record({
      lost: fc.integer({ min: 0, max: 99 }).map((x) => (x < 95 ? 0 : x < 98 ? x - 94 : 12)),
      cut: fc.integer({ min: 0, max: 9 }).map((x) => x === 0),
      states: fc.array(fc.constantFrom("o", "o", "o", "m", "."), { minLength: 3, maxLength: 3 }),
      labelled: fc.boolean(),
    }),
    { maxLength: 50 },
  )
  .map((frames) => {
    const rows: CutRow[] = [];
    let [tick, shot, dense] = [0, 0, 0];
    for (const { lost, cut, states, labelled } of frames) {
      tick += 1 + lost;
      if (cut) shot += 1;
      const frame = { index: tick, pts: tick * TICK, shot };
      const seen = states.flatMap((state, who): CutRow[] => {
        if (state === ".") return [];
        const place = state === "o" && { place: { folder: OF.folder, row: dense++ } };
        const label = labelled && { label: { valence: tick / 10, arousal: who } };
        return [{ ...frame, track: shot * 3 + who, ...place, ...label }];
      });
      rows.push(...(seen.length > 0 ? seen : [{ ...frame, track: -1 }]));
    }
    return rows;
  })
  // Where more than a tenth of the frames was lost, longer intervals are the usual ones.
  .filter((rows) => {
    const pts = [...new Set(rows.map(({ pts }) => pts))];
    const long = pts.slice(1).filter((at, i) => at - pts[i]! > TICK).length;
    return long === 0 || long <= Math.floor(0.1 * (pts.length - 1));
  });

/** Slow and obvious: a moment belongs to a track if it has values there, or lies between two such moments close enough. */
function belongs(rows: readonly CutRow[], gap: number): string[] {
  const found: string[] = [];
  const last = Math.max(0, ...rows.map(({ pts }) => pts));
  for (const track of new Set(rows.map((row) => row.track)))
    for (let pts = 0; pts <= last; pts += TICK) {
      const own = rows.filter((row) => row.track === track && row.place !== undefined);
      const here = own.find((row) => row.pts === pts);
      const before = own.filter((row) => row.pts < pts).at(-1);
      const after = own.find((row) => row.pts > pts);
      const inside =
        before && after && after.pts - before.pts <= Math.max(gap, TICK * 1.5) && before.shot === after.shot;
      if (here || inside) found.push(`${track} ${pts} ${here?.place?.row ?? -1}`);
    }
  return found.sort();
}

describe("windows of any scene", () => {
  const lengths = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
  const gaps = fc.constantFrom(0, 80, 200, 400);

  test("every step of every track is scored exactly once for every length, whatever the stride", () => {
    fc.assert(
      fc.property(scene, lengths, gaps, fc.integer({ min: 0, max: 4 }), (rows, n, gap, mode) => {
        const more = mode === 0 ? { sliding: true } : mode === 1 ? {} : { stride: Math.min(mode - 1, ...n) };
        const windows = cut(rows, n, { gap, ...more });
        const expected = belongs(rows, gap * 1000);
        for (const one of n) expect(scored(windows.filter((window) => window.n === one)).sort()).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("steps follow each other without a leap in time, in one track and one shot", () => {
    fc.assert(
      fc.property(scene, lengths, gaps, (rows, n, gap) => {
        const rowOf = new Map(rows.map((row) => [`${row.track} ${row.pts}`, row]));
        for (const window of cut(rows, n, { gap })) {
          const { track, pts, index, present, labels, length, fresh } = window;
          const shots = new Set<number>();
          for (let i = 0; i < window.n; i++) {
            const row = rowOf.get(`${track} ${pts[i]}`);
            const [valence, arousal] = labels.subarray(i * 2);
            if (i >= length) expect([window.rows[i], index[i], pts[i]]).toEqual([-1, -1, Number.NaN]);
            else {
              if (i > 0) expect(pts[i]! - pts[i - 1]!).toBe(TICK);
              expect(index[i]).toBe(pts[i]! / TICK);
              expect(window.rows[i]).toBe(row?.place?.row ?? -1);
              if (row) shots.add(row.shot);
            }
            expect(present[i]).toBe(window.rows[i]! >= 0 ? 1 : 0);
            const { valence: v, arousal: a } = row?.label ?? { valence: Number.NaN, arousal: Number.NaN };
            expect([valence, arousal]).toEqual([Math.fround(v), Math.fround(a)]);
          }
          expect(shots.size).toBeLessThanOrEqual(1);
          expect(fresh).toBeLessThan(length);
          if (length < window.n) expect(fresh).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("a subject alone has the windows that it has among others", () => {
    fc.assert(
      fc.property(scene, lengths, gaps, (rows, n, gap) => {
        const all = cut(rows, n, { gap });
        for (const track of new Set(rows.map((row) => row.track).filter((one) => one >= 0))) {
          const alone = rows.map((row) =>
            row.track === track ? row : { index: row.index, pts: row.pts, shot: row.shot, track: -1 },
          );
          expect(cut(alone, n, { gap })).toEqual(all.filter((window) => window.track === track));
        }
      }),
      { numRuns: 100 },
    );
  });
});
