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
import { metricsOf } from "../../../src/nn/metrics.ts";
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

  test("loses the gain where the order of the frames is lost", () => {
    const gain = curve[3]!.ccc - curve[0]!.ccc;
    expect(expected(orderlessOracle(model, 8, 50)).ccc - curve[0]!.ccc).toBeLessThan(0.15 * gain);
    expect(orderlessOracle(model, 1, 50).level[0]).toBeCloseTo(windowOracle(model, 1, 50).level[0]!, 12);
  });

  test("needs the carrier for more than half of it", () => {
    const still: DimensionModel = { ...model, tremor: { ...model.tremor, carrier: 1000 } };
    const gain = curve[3]!.ccc - curve[0]!.ccc;
    expect(expected(windowOracle(still, 8, 50)).ccc - curve[0]!.ccc).toBeLessThan(0.5 * gain);
  });

  test("does on drawn tracks what it says; with frames shuffled or reversed, worse than one frame alone", () => {
    const order = [2, 5, 0, 7, 3, 6, 1, 4];
    const ways = {
      one: { oracle: windowOracle(model, 1, 50), frames: [7] },
      eight: { oracle: windowOracle(model, 8, 50), frames: [0, 1, 2, 3, 4, 5, 6, 7] },
      shuffled: { oracle: windowOracle(model, 8, 50), frames: order },
      reversed: { oracle: windowOracle(model, 8, 50), frames: [7, 6, 5, 4, 3, 2, 1, 0] },
      means: { oracle: orderlessOracle(model, 8, 50), frames: order },
    };
    const clips = Array.from({ length: 4000 }, (_, i) => drawTracks(`clip ${i}`, `actor ${i}`, 8, 50)[dimension]);
    const rmse = Object.fromEntries(
      Object.entries(ways).map(([name, { oracle, frames }]) => [name, errorOf(oracle, frames, clips)]),
    ) as Record<keyof typeof ways, number>;
    expect(rmse.one / curve[0]!.rmse).toBeCloseTo(1, 1);
    expect(rmse.eight / curve[3]!.rmse).toBeCloseTo(1, 1);
    expect(rmse.means).toBeGreaterThan(0.95 * rmse.one);
    expect(rmse.shuffled).toBeGreaterThan(rmse.one);
    expect(rmse.reversed).toBeGreaterThan(rmse.one);
  });

  test("is far above what the scatter of unordered frames gives away", () => {
    const draw = (name: string, count: number) =>
      Array.from({ length: count }, (_, i) => drawTracks(`${name}${i}`, `${name}${i}`, 8, 50)[dimension]);
    const [fitted, seen] = [draw("fit", 5000), draw("see", 3000)];
    const weights = leastSquares(
      fitted.map(scatter),
      fitted.map(({ label }) => label[7]!),
    );
    const predictions = seen.map((track) => scatter(track).reduce((sum, value, k) => sum + value * weights[k]!, 0));
    const { ccc } = metricsOf(
      predictions,
      seen.map(({ label }) => label[7]!),
    );
    const gain = curve[3]!.ccc - curve[0]!.ccc;
    expect(ccc - curve[0]!.ccc).toBeGreaterThan(0.15 * gain);
    expect(ccc - curve[0]!.ccc).toBeLessThan(0.6 * gain);
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

/** What can be said of a window's frames without their order: means, second moments, and products of those. */
function scatter({ level, carrier }: Track): number[] {
  const mean = (value: (i: number) => number) => level.reduce((sum, _, i) => sum + value(i) / level.length, 0);
  const [l, c] = [mean((i) => level[i]!), mean((i) => carrier[i]!)];
  const [ll, cc] = [mean((i) => (level[i]! - l) ** 2), mean((i) => (carrier[i]! - c) ** 2)];
  const lc = mean((i) => (level[i]! - l) * (carrier[i]! - c));
  const slope = lc / (ll + 0.05);
  return [1, l, c, ll, cc, lc, c * lc, c * slope, slope, l * cc, l * ll, l * lc, c * cc, l ** 3, c ** 3, l * c ** 2];
}

function leastSquares(rows: readonly number[][], values: readonly number[]): Float64Array {
  const size = rows[0]!.length;
  const [matrix, right] = [new Float64Array(size * size), new Float64Array(size)];
  for (const [r, row] of rows.entries())
    for (let i = 0; i < size; i++) {
      right[i]! += row[i]! * values[r]!;
      for (let j = 0; j < size; j++) matrix[i * size + j]! += row[i]! * row[j]!;
    }
  return solveCholesky(cholesky(matrix, size), right);
}
