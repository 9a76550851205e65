import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type Moment, momentOf, type Place, saidAt } from "../../src/datasets/label-at.ts";
import type { LabelFile, LabelPoint } from "../../src/datasets/types.ts";

const RANGE = { valence: [-1, 1], arousal: [-1, 1] } as const;

function file(people: readonly (readonly LabelPoint[])[], clock: "pts" | "index" = "pts"): LabelFile {
  const named = people.map((points, i) => ({ name: `p${i}`, points }));
  return { file: "f", clock, range: RANGE, boxed: false, people: named };
}
const point = (at: number, valence: number, box: LabelPoint["box"] = null): LabelPoint => ({
  at,
  label: { valence, arousal: -valence },
  box,
});
type How = Parameters<typeof saidAt>[2];
const nearest: How = { between: "nearest", maxGap: 1 };
const linear: How = { between: "linear", maxGap: 1 };
const values = (labels: LabelFile, moment: Moment, how: How) =>
  saidAt(labels, moment, how).map(({ label }) => label.valence);

describe("the moment of a frame", () => {
  const [a, b, c]: Place[] = [
    { index: 4, pts: 100_000 },
    { index: 5, pts: 140_000 },
    { index: 8, pts: 300_000 },
  ] as never;
  it("reaches half way to its neighbours, at the ends as far as on the other side, alone 20 ms", () => {
    expect(momentOf("pts", b!, a, c)).toEqual({ at: 140_000, from: 120_000, to: 220_000, unit: 1 });
    expect(momentOf("pts", a!, undefined, b)).toEqual({ at: 100_000, from: 80_000, to: 120_000, unit: 1 });
    expect(momentOf("pts", c!, b)).toEqual({ at: 300_000, from: 220_000, to: 380_000, unit: 1 });
    expect(momentOf("pts", a!)).toEqual({ at: 100_000, from: 80_000, to: 120_000, unit: 1 });
  });
  it("counts frames where labels do, and knows how long one is", () => {
    expect(momentOf("index", b!, a, c)).toEqual({ at: 5, from: 4.5, to: 6.5, unit: 160_000 / 3 });
    expect(momentOf("index", c!, b)).toEqual({ at: 8, from: 6.5, to: 9.5, unit: 160_000 / 3 });
    expect(momentOf("index", a!)).toEqual({ at: 4, from: 3.5, to: 4.5, unit: 40_000 });
  });
});

describe("what is said at a moment", () => {
  const moment: Moment = { at: 100, from: 90, to: 130, unit: 1 };
  it("is the nearest label that is nearer to no other frame", () => {
    expect(values(file([[point(100, 0.5)]]), moment, nearest)).toEqual([0.5]);
    expect(values(file([[point(90, 0.1), point(130, 0.2)]]), moment, nearest)).toEqual([0.1]);
    expect(values(file([[point(89, 0.1), point(130, 0.2)]]), moment, nearest)).toEqual([0.2]);
    expect(values(file([[point(89, 0.1), point(131, 0.2)]]), moment, nearest)).toEqual([]);
    // Of two as near, the earlier.
    expect(values(file([[point(92, 0.1), point(108, 0.2)]]), moment, nearest)).toEqual([0.1]);
  });

  it("on a line: between two labels that are not too far apart, exact on the spot, nearest at the ends and in gaps", () => {
    const far = { ...linear, maxGap: 1 };
    expect(values(file([[point(0, 0), point(200, 1)]]), moment, far)).toEqual([0.5]);
    expect(values(file([[point(100, 0.3), point(200, 1)]]), moment, far)).toEqual([0.3]);
    expect(values(file([[point(60, 0.3), point(100, 0.7)]]), moment, far)).toEqual([0.7]);
    expect(values(file([[point(120, 0.7)]]), moment, far)).toEqual([0.7]);
    const wide = file([[point(-999_000, 0), point(1_001_000, 1)]]);
    expect(values(wide, { ...moment, at: 0 }, { ...linear, maxGap: 2 })).toEqual([0.4995]);
    expect(values(wide, { ...moment, at: 0 }, { ...linear, maxGap: 1.999 })).toEqual([]);
    // In frames of 40 ms, 10 frames are 0.4 s.
    const counted = file([[point(0, 0), point(10, 1)]], "index");
    const frame: Moment = { at: 4, from: 3.5, to: 4.5, unit: 40_000 };
    expect(values(counted, frame, { ...linear, maxGap: 0.4 })).toEqual([0.4]);
    expect(values(counted, frame, { ...linear, maxGap: 0.399 })).toEqual([]);
  });

  it("boxes move on the line, too, and people keep apart", () => {
    const box = (x: number) => ({ x, y: 2 * x, width: 10, height: 20 + x });
    const labels = file([[point(0, 0, box(0)), point(200, 1, box(10))], [point(101, -1, box(50))]]);
    expect(saidAt(labels, moment, linear)).toEqual([
      {
        person: 0,
        points: [0, 1],
        label: { valence: 0.5, arousal: -0.5 },
        box: { x: 5, y: 10, width: 10, height: 25 },
      },
      { person: 1, points: [0], label: { valence: -1, arousal: 1 }, box: box(50) },
    ]);
  });
});

test("the same as a slow search, at any rates of frames and labels; every label has the frame that is nearest to it", () => {
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(times, times, fc.boolean(), (frameTimes, labelTimes, straight) => {
      const frames = frameTimes.sort((a, b) => a - b).map((pts, index) => ({ pts: pts * 1000, index }));
      const points = labelTimes.sort((a, b) => a - b).map((at, i) => point(at * 1000, i / 20));
      const labels = file([points]);
      for (const [i, frame] of frames.entries()) {
        const moment = momentOf("pts", frame, frames[i - 1], frames[i + 1]);
        const how: How = straight ? { between: "linear", maxGap: 0.01 } : nearest;
        const [said] = saidAt(labels, moment, how);
        const [a, b] = [points.findLast(({ at }) => at <= frame.pts), points.find(({ at }) => at > frame.pts)];
        if (straight && a && b && b.at - a.at <= 10_000) {
          const share = (frame.pts - a.at) / (b.at - a.at);
          expect(said!.label.valence).toBeCloseTo(a.label.valence * (1 - share) + b.label.valence * share, 12);
          continue;
        }
        const reach = points.filter(({ at }) => at >= moment.from && at <= moment.to);
        const best = Math.min(...reach.map(({ at }) => Math.abs(at - frame.pts)));
        expect(said?.label).toEqual(reach.find(({ at }) => Math.abs(at - frame.pts) === best)?.label);
      }
      if (frames.length < 2) return;
      for (const { at } of points.filter((one) => one.at >= frames[0]!.pts && one.at <= frames.at(-1)!.pts)) {
        const gaps = frames.map(({ pts }) => Math.abs(pts - at));
        const i = gaps.indexOf(Math.min(...gaps));
        const { from, to } = momentOf("pts", frames[i]!, frames[i - 1], frames[i + 1]);
        expect(from <= at && at <= to).toBe(true);
      }
    }),
    { numRuns: 300, seed: 5 },
  );
});
