import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DIMENSIONS, type DimensionModel, labelOf, MODEL } from "../../../src/datasets/synth/affect-model.ts";
import { drawTracks, type Track } from "../../../src/datasets/synth/affect-tracks.ts";
import { cholesky, solveCholesky } from "../../../src/datasets/synth/cholesky.ts";
import {
  expected,
  meanLabel,
  orderlessOracle,
  type WindowOracle,
  windowOracle,
} from "../../../src/datasets/synth/oracle.ts";
import { WINDOW_SIZES } from "../../../src/datasets/synth/oracle-scores.ts";
import { seeded } from "../../../src/random.ts";

describe("linear equations", () => {
  test("are solved", () => {
    const size = fc.integer({ min: 1, max: 7 });
    fc.assert(
      fc.property(size, fc.integer(), (n, seed) => {
        const random = seeded(seed);
        const half = Array.from({ length: n * n }, () => random.normal());
        const matrix = new Float64Array(n * n);
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) {
            for (let k = 0; k < n; k++) matrix[i * n + j]! += half[i * n + k]! * half[j * n + k]!;
            if (i === j) matrix[i * n + j]! += 0.1;
          }
        const b = Float64Array.from({ length: n }, () => random.normal());
        const x = solveCholesky(cholesky(matrix, n), b);
        for (let i = 0; i < n; i++) {
          let sum = 0;
          for (let j = 0; j < n; j++) sum += matrix[i * n + j]! * x[j]!;
          expect(sum).toBeCloseTo(b[i]!, 6);
        }
      }),
    );
  });

  test("without an answer are refused", () => {
    expect(() => cholesky(Float64Array.of(1, 1, 1, 1), 2)).toThrow("Row 1 makes the matrix singular");
  });
});

test("the mean label is that of a fine histogram", () => {
  for (const [mean, variance] of [
    [0, 0.3],
    [0.7, 0.05],
    [-1.4, 0.38],
  ] as const) {
    let [sum, weight] = [0, 0];
    for (let z = -8; z <= 8; z += 0.001) {
      const density = Math.exp(-0.5 * z * z);
      sum += density * labelOf(mean + Math.sqrt(variance) * z);
      weight += density;
    }
    expect(meanLabel(mean, variance)).toBeCloseTo(sum / weight, 9);
  }
});

describe.each(DIMENSIONS)("the oracle of %s", (dimension) => {
  const model = MODEL[dimension];
  const curve = WINDOW_SIZES.map((n) => expected(windowOracle(model, n, 50)));

  test("rises with the window up to 160 ms, then levels", () => {
    const ccc = curve.map((row) => row.ccc);
    for (let i = 1; i < ccc.length; i++) expect(ccc[i]!).toBeGreaterThan(ccc[i - 1]!);
    const [one, , , eight, sixteen, all] = ccc as [number, number, number, number, number, number];
    expect(one).toBeGreaterThan(0.55);
    expect(one).toBeLessThan(0.75);
    expect(eight).toBeGreaterThan(one + 0.2);
    expect(eight).toBeGreaterThan(0.85);
    expect(sixteen - eight).toBeLessThan(0.03);
    expect(all - sixteen).toBeLessThan(0.01);
    expect(all).toBeLessThan(0.95);
  });

  test("counts milliseconds, not frames", () => {
    const slow = expected(windowOracle(model, 4, 25));
    expect(Math.abs(slow.ccc - curve[3]!.ccc)).toBeLessThan(0.04);
  });

  test("needs the frames' order for half of the gain in less than a turn of the rhythm, and for none of it in a turn", () => {
    const without = (n: number) => expected(orderlessOracle(model, n, 50)).ccc;
    const gainOf = (n: (typeof WINDOW_SIZES)[number]) =>
      (without(n) - curve[0]!.ccc) / (curve[WINDOW_SIZES.indexOf(n)]!.ccc - curve[0]!.ccc);
    expect(gainOf(2)).toBeLessThan(0.5);
    expect(gainOf(4)).toBeLessThan(0.6);
    expect(gainOf(8)).toBeGreaterThan(0.95);
    expect(without(32)).toBeLessThan(without(8));
    expect(orderlessOracle(model, 1, 50).level[0]).toBeCloseTo(windowOracle(model, 1, 50).level[0]!, 12);
  });

  test("has the carrier's word in two frames, and hardly needs it in 160 ms", () => {
    const still: DimensionModel = { ...model, tremor: { ...model.tremor, carrier: 1000 } };
    const gain = (n: number, of: DimensionModel) => expected(windowOracle(of, n, 50)).ccc - curve[0]!.ccc;
    expect(gain(2, still)).toBeLessThan(0.5 * gain(2, model));
    expect(gain(8, still)).toBeGreaterThan(0.95 * gain(8, model));
  });

  test("does on drawn tracks what it says; four frames reversed or shuffled do worse", () => {
    const ways = {
      one: { oracle: windowOracle(model, 1, 50), frames: [7] },
      four: { oracle: windowOracle(model, 4, 50), frames: [4, 5, 6, 7] },
      eight: { oracle: windowOracle(model, 8, 50), frames: [0, 1, 2, 3, 4, 5, 6, 7] },
      shuffled: { oracle: windowOracle(model, 4, 50), frames: [6, 4, 7, 5] },
      reversed: { oracle: windowOracle(model, 4, 50), frames: [7, 6, 5, 4] },
      means: { oracle: orderlessOracle(model, 8, 50), frames: [2, 5, 0, 7, 3, 6, 1, 4] },
    };
    const clips = Array.from({ length: 4000 }, (_, i) => drawTracks(`clip ${i}`, `actor ${i}`, 8, 50)[dimension]);
    const rmse = Object.fromEntries(
      Object.entries(ways).map(([name, { oracle, frames }]) => [name, errorOf(oracle, frames, clips)]),
    ) as Record<keyof typeof ways, number>;
    expect(rmse.one / curve[0]!.rmse).toBeCloseTo(1, 1);
    expect(rmse.four / curve[2]!.rmse).toBeCloseTo(1, 1);
    expect(rmse.eight / curve[3]!.rmse).toBeCloseTo(1, 1);
    expect(rmse.means / expected(orderlessOracle(model, 8, 50)).rmse).toBeCloseTo(1, 1);
    expect(rmse.shuffled).toBeGreaterThan(1.2 * rmse.four);
    expect(rmse.reversed).toBeGreaterThan(1.2 * rmse.four);
  });

  test("cannot be bettered by other weights", () => {
    const clips = Array.from({ length: 4000 }, (_, i) => drawTracks(`c${i}`, `a${i}`, 4, 50)[dimension]);
    const oracle = windowOracle(model, 4, 50);
    const best = errorOf(oracle, [0, 1, 2, 3], clips);
    const random = seeded("other weights");
    for (let trial = 0; trial < 10; trial++) {
      const other = (weights: Float64Array) => weights.map((w) => w + 0.15 * random.normal());
      const changed = { ...oracle, level: other(oracle.level), carrier: other(oracle.carrier) };
      expect(errorOf(changed, [0, 1, 2, 3], clips)).toBeGreaterThan(best);
    }
  });
});

/** Root of the mean squared error at the last frame, the oracle being shown the frames in this order. */
function errorOf(oracle: WindowOracle, frames: readonly number[], clips: readonly Track[]): number {
  let sum = 0;
  for (const { label, level, carrier } of clips) {
    let mean = 0;
    for (const [i, frame] of frames.entries())
      mean += oracle.level[i]! * level[frame]! + oracle.carrier[i]! * carrier[frame]!;
    sum += (meanLabel(mean, oracle.open) - label.at(-1)!) ** 2;
  }
  return Math.sqrt(sum / clips.length);
}
