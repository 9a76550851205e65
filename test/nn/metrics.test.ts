import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { affectMetrics, metricsOf, spreadOf } from "../../src/nn/metrics.ts";

const number = fc.integer({ min: -1000, max: 1000 }).map((n) => n / 37);
const pairs = fc
  .array(fc.tuple(number, number), { minLength: 2, maxLength: 40 })
  .map((list) => ({ p: list.map(([p]) => p), y: list.map(([, y]) => y) }))
  .filter(({ p, y }) => new Set(p).size > 1 && new Set(y).size > 1);

describe("one dimension", () => {
  test("numbers of numpy", () => {
    // p = [.1, .4, .35, -.8, 0]; y = [.2, .3, -.1, -.5, .6]; np.corrcoef(p, y)[0, 1]; the rest from np.cov(p, y, ddof=0).
    const found = metricsOf([0.1, 0.4, 0.35, -0.8, 0], [0.2, 0.3, -0.1, -0.5, 0.6]);
    expect(found.rmse).toBeCloseTo(0.366742416417845, 12);
    expect(found.cor).toBeCloseTo(0.6190318978022278, 12);
    expect(found.ccc).toBeCloseTo(0.5979073243647235, 12);
    expect(found.icc).toBeCloseTo(0.6127450980392157, 12);
    expect(found).toMatchObject({ frames: 5, constant: null });
  });

  test("ICC is Shrout and Fleiss' ICC(3,1), from the mean squares of an analysis of variance", () => {
    fc.assert(
      fc.property(pairs, ({ p, y }) => {
        const n = p.length;
        const grand = mean([...p, ...y]);
        const rows = p.map((value, i) => (value + y[i]!) / 2);
        const bms = (2 * rows.reduce((sum, row) => sum + (row - grand) ** 2, 0)) / (n - 1);
        const residuals = [p, y].flatMap((judge) => judge.map((value, i) => value - rows[i]! - mean(judge) + grand));
        const ems = residuals.reduce((sum, r) => sum + r ** 2, 0) / (n - 1);
        expect(metricsOf(p, y).icc).toBeCloseTo((bms - ems) / (bms + ems), 9);
      }),
    );
  });

  test("RMSE² = (σp² + σy² + (μp − μy)²)·(1 − CCC)", () => {
    fc.assert(
      fc.property(pairs, ({ p, y }) => {
        const { rmse, ccc } = metricsOf(p, y);
        const scale = variance(p) + variance(y) + (mean(p) - mean(y)) ** 2;
        expect(rmse ** 2 / scale).toBeCloseTo(1 - ccc, 9);
      }),
    );
  });

  test("all are symmetric, and lie within −1..1; |CCC| ≤ |ICC| ≤ |COR|", () => {
    fc.assert(
      fc.property(pairs, ({ p, y }) => {
        const there = metricsOf(p, y);
        const back = metricsOf(y, p);
        for (const metric of ["rmse", "cor", "ccc", "icc"] as const)
          expect(there[metric]).toBeCloseTo(back[metric], 12);
        const [ccc, icc, cor] = [there.ccc, there.icc, there.cor].map(Math.abs) as [number, number, number];
        expect(ccc).toBeLessThanOrEqual(icc + 1e-12);
        expect(icc).toBeLessThanOrEqual(cor + 1e-12);
        expect(cor).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("COR knows neither scale nor shift of the predictions; RMSE, CCC, ICC follow one of both", () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 40 }), number, ({ p, y }, by, shift) => {
        const scale = by / 7;
        const plain = metricsOf(p, y);
        const move = (values: number[]) => values.map((value) => value * scale + shift);
        expect(metricsOf(move(p), y).cor).toBeCloseTo(plain.cor, 7);
        const both = metricsOf(move(p), move(y));
        expect(both.rmse).toBeCloseTo(plain.rmse * scale, 7);
        for (const metric of ["cor", "ccc", "icc"] as const) expect(both[metric]).toBeCloseTo(plain[metric], 7);
      }),
    );
  });

  test("a whole weight counts a frame so many times, and 0 leaves it out", () => {
    const counts = fc.integer({ min: 0, max: 3 });
    fc.assert(
      fc.property(pairs, fc.array(counts, { minLength: 40, maxLength: 40 }), ({ p, y }, times) => {
        const weights = p.map((_, i) => times[i]!);
        fc.pre(weights.some((w) => w > 0));
        const repeat = (values: number[]) => values.flatMap((value, i) => new Array<number>(weights[i]!).fill(value));
        const found = metricsOf(p, y, weights);
        const long = metricsOf(repeat(p), repeat(y));
        expect(found.constant).toBe(long.constant);
        for (const metric of ["rmse", "cor", "ccc", "icc"] as const) expect(found[metric]).toBeCloseTo(long[metric], 9);
      }),
    );
  });

  test("a large mean costs no digits", () => {
    const [p, y] = [
      [0.1, 0.4, 0.35, -0.8, 0],
      [0.2, 0.3, -0.1, -0.5, 0.6],
    ];
    const far = metricsOf(
      p!.map((x) => x + 2 ** 20),
      y!.map((x) => x + 2 ** 20),
    );
    expect(far.ccc).toBeCloseTo(metricsOf(p!, y!).ccc, 8);
  });

  test("what does not vary scores 0 and says so, never NaN", () => {
    // 0.1 thrice sums to more than 0.3: a variance by rounding, which must not become a correlation.
    expect(metricsOf([0.1, 0.1, 0.1], [0.2, 0.5, 0.3])).toMatchObject({
      cor: 0,
      ccc: 0,
      icc: 0,
      constant: "predictions",
    });
    expect(metricsOf([0.2, 0.5, 0.3], [0.1, 0.1, 0.1])).toMatchObject({ cor: 0, ccc: 0, icc: 0, constant: "labels" });
    expect(metricsOf([0.5], [0.25])).toEqual({ rmse: 0.25, cor: 0, ccc: 0, icc: 0, frames: 1, constant: "both" });
    expect(metricsOf([0, 5e-200, 0], [0, 1, 2])).toMatchObject({ cor: 0, constant: null });
    expect(metricsOf([1, 2, 3], [1, 2, 3])).toMatchObject({ rmse: 0, cor: 1, ccc: 1, icc: 1 });
    expect(metricsOf([3, 2, 1], [1, 2, 3])).toMatchObject({ cor: -1, ccc: -1, icc: -1 });
  });

  test("what cannot be scored is an error", () => {
    expect(() => metricsOf([], [])).toThrow(/no frames/);
    expect(() => metricsOf([1, 2], [1])).toThrow(/2 predictions, but 1 labels/);
    expect(() => metricsOf([1, Number.NaN], [1, 2])).toThrow(/prediction of frame 1 is NaN/);
    expect(() => metricsOf([1, 2], [1, 2], [1, -1])).toThrow(/weight of frame 1 is -1/);
    expect(() => metricsOf([1, 2], [1, 2], [0, 0])).toThrow(/weight above 0/);
  });
});

test("AVG is the mean of valence and arousal", () => {
  const found = affectMetrics({ valence: [1, 2, 4], arousal: [3, 1, 2] }, { valence: [1, 3, 3], arousal: [2, 1, 1] });
  for (const metric of ["rmse", "cor", "ccc", "icc"] as const)
    expect(found.average[metric]).toBe((found.valence[metric] + found.arousal[metric]) / 2);
});

test("folds: mean and the deviation between them", () => {
  expect(spreadOf([1, 2, 6])).toEqual({ mean: 3, sd: Math.sqrt(7) });
  expect(spreadOf([4])).toEqual({ mean: 4, sd: null });
  expect(() => spreadOf([])).toThrow(/no folds/);
});

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]) => mean(values.map((value) => (value - mean(values)) ** 2));
