import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binOf, labelWeights } from "../../src/datasets/weights.ts";
import { PipeError } from "../../src/errors.ts";
import { toNative, toUnit } from "../../src/nn/label-scale.ts";

const RANGE = [-10, 10] as const;
const labels = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 300 });

describe("label weights", () => {
  it("are those of a slow count, for a skewed set", () => {
    const seen = [...Array(6).fill(0), ...Array(2).fill(-10), 10, 10, 10, 4.2];
    const weights = labelWeights(seen, RANGE, 4);
    // Bins of width 5: [-10, -5) 2, [-5, 0) 0, [0, 5) 7, [5, 10] 3; each counts one more.
    const inverse = [1 / 3, 1 / 1, 1 / 8, 1 / 4];
    const mean = (2 * inverse[0]! + 7 * inverse[2]! + 3 * inverse[3]!) / 12;
    for (const [bin, weight] of weights.bins.entries()) expect(weight).toBeCloseTo(inverse[bin]! / mean, 12);
    expect(weights.of(-7)).toBe(weights.bins[0]);
    expect(weights.of(-1)).toBe(weights.bins[1]);
    expect(weights.of(10)).toBe(weights.bins[3]);
  });

  it("have mean 1 over the training frames, and weigh the rarer more", () => {
    fc.assert(
      fc.property(labels, fc.integer({ min: 1, max: 40 }), (seen, bins) => {
        const weights = labelWeights(seen, RANGE, bins);
        const mean = seen.reduce((sum, label) => sum + weights.of(label), 0) / seen.length;
        expect(mean).toBeCloseTo(1, 9);
        const counts = weights.bins.map((_, bin) => seen.filter((label) => binOf(label, RANGE, bins) === bin).length);
        for (const [a, countA] of counts.entries())
          for (const [b, countB] of counts.entries())
            if (countA < countB) expect(weights.bins[a]).toBeGreaterThan(weights.bins[b]!);
      }),
    );
  });

  it("give each whole number of -10..10 a bin of its own", () => {
    const bins = Array.from({ length: 21 }, (_, i) => binOf(i - 10, RANGE, 21));
    expect(bins).toEqual(Array.from({ length: 21 }, (_, i) => i));
    expect(labelWeights([1], RANGE).bins).toHaveLength(21);
  });

  it("refuse labels outside the range, no number, and no labels", () => {
    for (const bad of [10.001, -11, Number.NaN]) expect(() => labelWeights([0, bad], RANGE)).toThrow(PipeError);
    expect(() => labelWeights([], RANGE)).toThrow("from no labels");
    expect(() => labelWeights([0], RANGE, 0)).toThrow("0 bins");
    expect(() => labelWeights([0], RANGE).of(12)).toThrow("outside the range -10..10");
  });

  it("are all 1 for one label", () => {
    expect(labelWeights([3], RANGE).of(3)).toBe(1);
  });
});

describe("label scale", () => {
  it("brings the range to -1..1 and back", () => {
    expect([toUnit(-10, RANGE), toUnit(0, RANGE), toUnit(10, RANGE)]).toEqual([-1, 0, 1]);
    expect([toUnit(0, [0, 1]), toUnit(0.5, [0, 1]), toNative(0.5, [2, 6])]).toEqual([-1, 0, 5]);
    const interval = fc.tuple(fc.integer({ min: -50, max: 0 }), fc.integer({ min: 1, max: 50 }));
    fc.assert(
      fc.property(interval, fc.double({ min: -3, max: 3, noNaN: true }), (range, unit) => {
        expect(toUnit(toNative(unit, range), range)).toBeCloseTo(unit, 12);
      }),
    );
  });
});
