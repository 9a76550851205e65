import { describe, expect, test } from "vitest";
import { metricsOf } from "../../src/nn/metrics.ts";
import { seeded } from "../../src/random.ts";
import {
  type AttentionStep,
  attentionCorrelation,
  attentionSteps,
  landmarkSpeed,
  lastStepWeights,
  relativeWeights,
  speedOf,
} from "../../src/report/attention.ts";

/** Three steps of a window of four, the second of which is missing. */
const GAPPED = {
  at: [10, -1, 12, 13],
  weights: [
    [0, 0, 0, 0],
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0.25, 0, 0.75, 0],
  ],
};

describe("weights of a window", () => {
  test("the last step's, as multiples of a uniform one; what is missing is no state", () => {
    expect([...lastStepWeights(GAPPED)]).toEqual([0.5, Number.NaN, 1.5, Number.NaN]);
  });

  test("padding at the end does not count as the last step", () => {
    const padded = { at: [0, 1, 2, -1], weights: [...GAPPED.weights.slice(0, 2), [0.2, 0.8, 0, 0], [9, 9, 9, 9]] };
    expect([...lastStepWeights(padded)]).toEqual([0.4, 1.6, Number.NaN, Number.NaN]);
  });

  test("of no steps, and of one, are nothing", () => {
    expect([...lastStepWeights({ at: [], weights: [] })]).toEqual([]);
    expect([
      ...lastStepWeights({
        at: [-1, -1],
        weights: [
          [0, 0],
          [0, 0],
        ],
      }),
    ]).toEqual([Number.NaN, Number.NaN]);
    expect([...lastStepWeights({ at: [3], weights: [[7]] })]).toEqual([Number.NaN]);
  });

  test("all steps': a uniform triangle is 1 below the diagonal, and nothing else", () => {
    const n = 5;
    const weights = Array.from({ length: n }, (_, t) => Array.from({ length: n }, (_, i) => (i < t ? 1 / t : 0.3)));
    relativeWeights({ at: [0, 1, 2, 3, 4], weights }).forEach((row, t) => {
      row.forEach((weight, i) => {
        expect(weight).toBe(i < t ? 1 : Number.NaN);
      });
    });
  });

  test("steps of attention leave padding and missing frames out", () => {
    expect([...attentionSteps("clip", GAPPED, [1, 2, 3, 4])]).toEqual([
      { clip: "clip", t: 2, weights: [1], speed: [1] },
      { clip: "clip", t: 3, weights: [0.25, 0.75], speed: [1, 3] },
    ]);
  });
});

describe("speed", () => {
  test("is the change since the frame before, per second; the first frame has that of the second", () => {
    expect([...speedOf([1, 3, 2, 2], [0, 500_000, 1_500_000, 1_600_000])]).toEqual([4, 4, 1, 0]);
  });

  test("beside a gap is that of the side that is known", () => {
    expect([...speedOf([1, Number.NaN, 3, 4], [0, 1e6, 2e6, 3e6])]).toEqual([Number.NaN, Number.NaN, 1, 1]);
    expect([...speedOf([5], [0])]).toEqual([Number.NaN]);
    expect([...speedOf([], [])]).toEqual([]);
  });

  test("of landmarks does not see the face's own way and size", () => {
    const face = [0, 0, 4, 0, 0, 4, 4, 4];
    const smiled = [0, 0, 4, 0, 1, 5, 3, 5];
    const moved = (points: readonly number[], scale: number) =>
      points.map((value, k) => value * scale + (k % 2 ? 90 : 7));
    const pts = [0, 1e6, 2e6];
    const own = landmarkSpeed([face, moved(face, 1), smiled], pts);
    expect(own[1]).toBeCloseTo(0, 12);
    expect(own[2]).toBeGreaterThan(0.05);
    const large = landmarkSpeed([moved(face, 3), moved(face, 3), moved(smiled, 3)], pts);
    expect(large[2]).toBeCloseTo(own[2]!, 12);
    expect([...landmarkSpeed([face, null, face], pts)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  test("of landmarks equals the slow loop", () => {
    const random = seeded(3);
    const faces = Array.from({ length: 3 }, () => Array.from({ length: 10 }, () => random.normal()));
    const centre = (points: number[], axis: number) => {
      let sum = 0;
      for (let p = 0; p < 5; p++) sum += points[2 * p + axis]!;
      return sum / 5;
    };
    const size = (points: number[]) => {
      let sum = 0;
      for (let p = 0; p < 5; p++) for (const axis of [0, 1]) sum += (points[2 * p + axis]! - centre(points, axis)) ** 2;
      return Math.sqrt(sum / 5);
    };
    const between = (a: number[], b: number[], seconds: number) => {
      let sum = 0;
      for (let p = 0; p < 5; p++) {
        const d = [0, 1].map((axis) => b[2 * p + axis]! - centre(b, axis) - (a[2 * p + axis]! - centre(a, axis)));
        sum += Math.sqrt(d[0]! ** 2 + d[1]! ** 2) / 5;
      }
      return sum / ((size(a) + size(b)) / 2) / seconds;
    };
    const [a, b, c] = faces as [number[], number[], number[]];
    const speed = landmarkSpeed(faces, [0, 40_000, 120_000]);
    expect(speed[1]).toBeCloseTo(between(a, b, 0.04), 10);
    expect(speed[2]).toBeCloseTo(between(b, c, 0.08), 10);
  });
});

describe("correlation", () => {
  const random = seeded(9);
  const step = (clip: string, n: number, pull: number): AttentionStep => {
    const speed = Array.from({ length: n }, () => Math.abs(random.normal()));
    const scores = speed.map((value) => Math.exp(pull * value + random.normal()));
    const sum = scores.reduce((all, value) => all + value, 0);
    return { clip, weights: scores.map((value) => value / sum), speed };
  };
  const many = (pull: number) =>
    ["a", "b", "c", "d", "e"].flatMap((clip) => Array.from({ length: 60 }, () => step(clip, 7, pull)));

  test("is the mean of Pearson's over steps, and the gain a ratio of mean speeds", () => {
    const steps = many(0.5);
    const { correlation, gain, clips, steps: counted } = attentionCorrelation(steps);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(correlation.mean).toBeCloseTo(mean(steps.map(({ weights, speed }) => metricsOf(weights, speed).cor)), 12);
    const seen = steps.map(({ weights, speed }) => Array.from(weights).reduce((sum, w, i) => sum + w * speed[i]!, 0));
    const plain = steps.map(({ speed }) => mean(Array.from(speed)));
    expect(gain.mean).toBeCloseTo(mean(seen) / mean(plain), 12);
    expect([clips, counted]).toEqual([5, 300]);
  });

  test("attention that follows movement is told from attention that does not", () => {
    const following = attentionCorrelation(many(1));
    expect(following.correlation.low).toBeGreaterThan(following.shuffled.high!);
    expect(following.gain.low).toBeGreaterThan(1.1);
    const blind = attentionCorrelation(many(0));
    expect(Math.abs(blind.correlation.mean!)).toBeLessThan(0.1);
    expect(Math.abs(blind.gain.mean! - 1)).toBeLessThan(0.1);
  });

  test("steps that say nothing are left out and counted; uniform weights have a gain of 1", () => {
    const uniform = { clip: "a", weights: [0.25, 0.25, 0.25, 0.25], speed: [1, 2, 3, 4] };
    const result = attentionCorrelation([
      uniform,
      { clip: "a", weights: [0.1, 0.2, 0.7], speed: [2, 2, 2] },
      { clip: "a", weights: [0.5, 0.5], speed: [1, 9] },
      { clip: "a", weights: [1], speed: [3] },
      { clip: "b", weights: [0.1, 0.2, 0.7], speed: [1, Number.NaN, 3] },
    ]);
    expect(result.leftOut).toEqual({ short: 2, constantWeights: 1, constantSpeed: 1, missing: 1 });
    expect(result.correlation).toEqual({ mean: null, low: null, high: null });
    expect(attentionCorrelation([uniform]).gain).toEqual({ mean: 1, low: null, high: null });
  });

  test("of nothing is nothing", () => {
    const none = { mean: null, low: null, high: null };
    expect(attentionCorrelation([])).toEqual({
      correlation: none,
      shuffled: none,
      gain: none,
      steps: 0,
      clips: 0,
      leftOut: { short: 0, constantWeights: 0, constantSpeed: 0, missing: 0 },
    });
  });

  test("a clip's part does not depend on what comes before it, and a seed gives the same interval", () => {
    const [a, b] = [step("a", 6, 1), step("b", 6, 1)];
    expect(attentionCorrelation([a, b]).shuffled.mean).toBeCloseTo(attentionCorrelation([b, a]).shuffled.mean!, 12);
    const steps = many(0.5);
    expect(attentionCorrelation(steps)).toEqual(attentionCorrelation(steps));
    expect(attentionCorrelation(steps, { seed: 2 }).correlation.low).not.toBe(
      attentionCorrelation(steps).correlation.low,
    );
  });

  test("fewer clips give a wider interval", () => {
    const width = ({ low, high }: { low: number | null; high: number | null }) => high! - low!;
    const noisy = Array.from({ length: 40 }, (_, clip) => step(`${clip}`, 5, 0));
    const few = attentionCorrelation(noisy.slice(0, 4)).correlation;
    expect(width(few)).toBeGreaterThan(width(attentionCorrelation(noisy).correlation));
  });
});
