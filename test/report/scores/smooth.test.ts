import { describe, expect, it } from "vitest";
import { seeded } from "../../../src/random.ts";
import type { Prediction } from "../../../src/records.ts";
import { Smoother } from "../../../src/report/scores/smooth.ts";
import { prediction, unsteady } from "./rows.ts";

function smooth(rows: readonly Prediction[], milliseconds: number) {
  const smoother = new Smoother(milliseconds);
  return [...rows.flatMap((row) => smoother.push(row)), ...smoother.end()];
}

/** The slow obvious way: all rows at hand. */
function oracle(rows: readonly Prediction[], row: Prediction, name: "valence" | "arousal", sigma: number) {
  if (row[name] === null) return null;
  let [sum, weights] = [0, 0];
  for (const other of rows) {
    if (other.track !== row.track || other[name] === null) continue;
    const distance = (other.pts - row.pts) / 1000 / sigma;
    if (Math.abs(distance) > 4) continue;
    const weight = Math.exp(-(distance ** 2) / 2);
    sum += weight * other[name];
    weights += weight;
  }
  return sum / weights;
}

describe("smoothing along time", () => {
  it.each([40, 200, 3000])("is a weighted mean of the track's own scores, σ %i ms", (sigma) => {
    const rows = unsteady(seeded(sigma), 60);
    const smoothed = smooth(rows, sigma);
    expect(smoothed.map(({ index, track }) => [index, track])).toEqual(rows.map(({ index, track }) => [index, track]));
    for (const [i, row] of rows.entries())
      for (const name of ["valence", "arousal"] as const) {
        const [got, wanted] = [smoothed[i]![`${name}Smoothed`], oracle(rows, row, name, sigma)];
        if (wanted === null) expect(got).toBeNull();
        else expect(got).toBeCloseTo(wanted, 12);
        expect(smoothed[i]![name]).toBe(row[name]);
      }
  });

  it("leaves values as they are with σ 0, and a steady value steady with any", () => {
    const rows = unsteady(seeded(3), 30);
    for (const row of smooth(rows, 0))
      expect([row.valenceSmoothed, row.arousalSmoothed]).toEqual([row.valence, row.arousal]);
    const steady = rows.map((row) => ({ ...row, valence: row.valence && 0.5 }));
    for (const row of smooth(steady, 300)) if (row.valence !== null) expect(row.valenceSmoothed).toBeCloseTo(0.5, 12);
  });

  it("does not shift: a symmetric bump at unsteady times stays symmetric", () => {
    const times = [-900, -400, -250, -100, 0, 100, 250, 400, 900];
    const rows = times.map((ms, index) =>
      prediction({ index, pts: 1e6 + ms * 1000, valence: Math.exp(-((ms / 200) ** 2)) }),
    );
    const values = smooth(rows, 150).map(({ valenceSmoothed }) => valenceSmoothed!);
    for (let i = 0; i < 4; i++) expect(values[i]).toBeCloseTo(values[8 - i]!, 12);
    expect(Math.max(...values)).toBe(values[4]);
  });

  it("takes one of valence and arousal from a model that says no other, and none of no rows", () => {
    const [row] = smooth([prediction({ arousal: null })], 200);
    expect(row).toMatchObject({ valenceSmoothed: 0.125, arousalSmoothed: null });
    expect(new Smoother(100).end()).toEqual([]);
  });

  it("holds rows of two reaches, however long the video is", () => {
    const smoother = new Smoother(10);
    let [held, most] = [0, 0];
    for (let index = 0; index < 1000; index++) {
      held += 1 - smoother.push(prediction({ index, pts: index * 10_000, track: index >> 6 })).length;
      most = Math.max(most, held);
    }
    expect(most).toBeLessThanOrEqual(6);
  });
});
