import { expect, it } from "vitest";
import { seeded } from "../../../src/random.ts";
import { lanes } from "../../../src/report/scores/lanes.ts";
import { summarise } from "../../../src/report/scores/summary.ts";
import { prediction, seriesOf, unsteady } from "./rows.ts";

const MODEL = { model: "m", trainedOn: "clips", caution: null };

/** Type 7, the slow way. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place % 1);
}

it("counts, means and quantiles are those of the raw rows", () => {
  const rows = unsteady(seeded(8), 120);
  const { video, tracks, shots } = summarise(seriesOf(rows), MODEL, 100);
  const frames = [...new Set(rows.map(({ index }) => index))];
  const covered = frames.filter((frame) => rows.some(({ index, status }) => index === frame && status === "ok"));
  expect(video).toMatchObject({ frames: frames.length, rows: rows.length });
  expect(video.coverage).toBeCloseTo(covered.length / frames.length, 6);
  expect(video.seconds).toBeCloseTo((rows.at(-1)!.pts - rows[0]!.pts) / 1e6, 6);
  expect(shots.map(({ shot }) => shot)).toEqual([0, 1]);
  expect(tracks.map(({ track }) => track).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  for (const [summary, own] of [
    [video, rows.filter(({ status }) => status === "ok")] as const,
    ...tracks.map(
      (each) => [each, rows.filter(({ track, status }) => track === each.track && status === "ok")] as const,
    ),
  ])
    for (const name of ["valence", "arousal"] as const) {
      const values = own.map((row) => Math.fround(row[name]!));
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      const close = {
        mean,
        sd,
        min: Math.min(...values),
        max: Math.max(...values),
        q05: quantile(values, 0.05),
        q25: quantile(values, 0.25),
        median: quantile(values, 0.5),
        q75: quantile(values, 0.75),
        q95: quantile(values, 0.95),
      };
      for (const [key, value] of Object.entries(close)) expect(summary[name]![key as "mean"]).toBeCloseTo(value, 5);
      const first = own.filter(({ valence, arousal }) => valence! >= 0 && arousal! >= 0).length / own.length;
      expect(summary.quadrants!["V+A+"]).toBeCloseTo(first, 5);
      expect(Object.values(summary.quadrants!).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
});

it("knows no mean where nothing was said, and stretches without a face", () => {
  const rows = [0, 1, 2, 3, 4, 5].map((index) =>
    prediction({ index, pts: index * 40_000, ...(index !== 1 && index !== 5 && { status: "no_face" }) }),
  );
  const series = seriesOf(rows);
  expect(series.missing).toEqual([
    { from: 0, to: 0 },
    { from: 80_000, to: 160_000 },
  ]);
  const none = summarise(seriesOf(rows.slice(2, 4)), MODEL, 0);
  expect(none.video).toMatchObject({ coverage: 0, valence: null, arousal: null, quadrants: null });
  expect(none.tracks).toEqual([]);
  expect(summarise(seriesOf([]), MODEL, 0).video).toMatchObject({ frames: 0, rows: 0, seconds: 0, coverage: 0 });
  expect(summarise(seriesOf([prediction({ valence: null })]), MODEL, 0).video).toMatchObject({
    valence: null,
    arousal: { mean: -0.25 },
  });
});

it("takes the middle of the scale for quadrants, and the model's own where it says no valence", () => {
  const nine = { valence: [1, 9], arousal: [1, 9] } as const;
  const rows = [
    prediction({ index: 0, valence: 6, arousal: 4 }),
    prediction({ index: 1, pts: 1, valence: null, arousal: null, quadrant: Float32Array.of(0.1, 0.6, 0.2, 0.1) }),
  ];
  expect(summarise(seriesOf(rows, nine), MODEL, 0).video.quadrants).toEqual({
    "V+A+": 0,
    "V−A+": 0.5,
    "V−A−": 0,
    "V+A−": 0.5,
  });
});

it("lays tracks out in as few rows as there are faces at once", () => {
  const at = (track: number, from: number, to: number) => [
    prediction({ index: from, pts: from, track }),
    prediction({ index: to, pts: to, track }),
  ];
  const rows = [...at(0, 0, 10), ...at(1, 5, 20), ...at(2, 11, 30), ...at(3, 21, 22)].sort((a, b) => a.pts - b.pts);
  expect(lanes(seriesOf(rows).tracks.values()).map((row) => row.map(({ track }) => track))).toEqual([
    [0, 2],
    [1, 3],
  ]);
});
