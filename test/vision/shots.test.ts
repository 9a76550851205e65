import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createShots, difference, type Thumbnail, thumbnail } from "../../src/vision/shots.ts";

const MS = 1000;
const grey = (value: number, pts: number): Thumbnail => ({ pts, data: new Uint8Array(12).fill(value) });

/** Shot number of each frame, given as grey values with their times in milliseconds. */
function shotsOf(frames: readonly (readonly [value: number, ms: number])[]): number[] {
  const shots = createShots({ ratio: 3 });
  const out = frames.flatMap(([value, ms]) => shots.push(grey(value, ms * MS)));
  out.push(...shots.end());
  expect(out.map(({ frame }) => frame.pts)).toEqual(frames.map(([, ms]) => ms * MS));
  return out.map(({ shot }) => shot);
}
const every = (step: number, ...values: number[]) => values.map((value, i) => [value, i * step] as const);

describe("shots", () => {
  test("difference is the mean over pixels", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 })), { minLength: 1 }), (pairs) => {
        const [a, b] = [0, 1].map((k) => ({ pts: 0, data: Uint8Array.from(pairs, (pair) => pair[k]!) }));
        const total = pairs.reduce((sum, [x, y]) => sum + Math.abs(x - y), 0);
        expect(difference(a!, b!)).toBeCloseTo(total / pairs.length, 9);
      }),
    );
  });

  test("no frame, one frame, a still", () => {
    expect(shotsOf([])).toEqual([]);
    expect(shotsOf([[7, 0]])).toEqual([0]);
    expect(shotsOf(every(40, 7, 7, 7))).toEqual([0, 0, 0]);
  });

  test("a cut opens a shot at its first frame, also as the very last one", () => {
    expect(shotsOf(every(40, 10, 11, 200, 201, 200, 202, 201, 200, 200, 200))).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(shotsOf(every(40, 10, 11, 200))).toEqual([0, 0, 1]);
  });

  test("three shots in a row, each shorter than a flash may be", () => {
    expect(shotsOf(every(40, 10, 100, 100, 200, 200, 200, 200, 200, 200, 200))).toEqual([0, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
  });

  test("a flash of one or a few frames is no cut", () => {
    expect(shotsOf(every(40, 10, 10, 255, 12, 11, 10))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(shotsOf(every(40, 10, 255, 250, 240, 12, 10, 255, 11))).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("at two frames a second what returns is a new shot: no flash lasts so long", () => {
    expect(shotsOf(every(500, 10, 200, 10))).toEqual([0, 1, 2]);
    expect(shotsOf(every(500, 10, 200, 200, 202, 10))).toEqual([0, 1, 1, 1, 2]);
  });

  test("a slow fade is no cut", () => {
    expect(new Set(shotsOf(Array.from({ length: 24 }, (_, i) => [i * 10, i * 40] as const)))).toEqual(new Set([0]));
  });

  test("a cut of a part of the picture is found beside a still rest, at its very frame", () => {
    for (const part of [6, 3, 2]) {
      const shots = createShots({ ratio: 3 });
      const frames = Array.from({ length: 30 }, (_, i) => {
        const data = new Uint8Array(12).fill(90 + (i % 2));
        if (i >= 17) data.fill(230 + (i % 3), 0, part);
        return { pts: i * 40 * MS, data };
      });
      const out = [...frames.flatMap((frame) => shots.push(frame)), ...shots.end()].map(({ shot }) => shot);
      expect(out).toEqual(frames.map((_, i) => (i >= 17 ? 1 : 0)));
    }
  });

  test("a fast fade or pan is no cut, neither where it starts nor where it ends", () => {
    const pan = (i: number) => 20 + 18 * Math.min(12, Math.max(0, i - 10));
    expect(new Set(shotsOf(Array.from({ length: 40 }, (_, i) => [pan(i), i * 40] as const)))).toEqual(new Set([0]));
  });

  test("what moves all the time is cut by nothing but a larger change", () => {
    const restless = (i: number) => 60 + 20 * (i % 2);
    expect(shotsOf(Array.from({ length: 24 }, (_, i) => [restless(i), i * 40] as const)).at(-1)).toBe(0);
    const cut = Array.from({ length: 24 }, (_, i) => [restless(i) + (i < 12 ? 0 : 120), i * 40] as const);
    expect(shotsOf(cut)).toEqual(cut.map((_, i) => (i < 12 ? 0 : 1)));
  });

  test("frames wait for a bounded number of others", () => {
    const shots = createShots({ ratio: 3 });
    shots.push(grey(0, 0));
    let waiting = 0;
    for (let i = 1; i < 40; i++) {
      waiting += 1 - shots.push(grey(200, i)).length;
      expect(waiting).toBeLessThanOrEqual(12);
    }
  });

  test("a thumbnail is the mean colours of a grid over the shown part, however small", () => {
    const size = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(size, size, fc.nat({ max: 5 }), fc.nat({ max: 5 }), (width, height, x0, y0) => {
        const image = { width: width + 2 * x0, height: height + 2 * y0, data: new Uint8Array(0) };
        const value = (x: number, y: number, c: number) => (x * 31 + y * 57 + c * 101) % 251;
        const inside = (x: number, y: number) => x >= x0 && x < x0 + width && y >= y0 && y < y0 + height;
        const data = Uint8Array.from({ length: image.width * image.height * 3 }, (_, i) => {
          const [x, y] = [Math.floor(i / 3) % image.width, Math.floor(i / 3 / image.width)];
          return inside(x, y) ? value(x, y, i % 3) : 0;
        });
        const got = thumbnail({ ...image, data }, { x: x0, y: y0, width, height });
        for (const [column, row] of [
          [0, 0],
          [31, 17],
          [13, 9],
        ] as const) {
          const cell = (length: number, cells: number, k: number) => {
            const from = Math.floor((length * k) / cells);
            return [from, Math.max(from + 1, Math.floor((length * (k + 1)) / cells))] as const;
          };
          const [[left, right], [top, bottom]] = [cell(width, 32, column), cell(height, 18, row)];
          const values: number[] = [];
          for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) values.push(value(x0 + x, y0 + y, 1));
          const mean = values.reduce((a, b) => a + b) / values.length;
          expect(got[(row * 32 + column) * 3 + 1]).toBe(Math.round(mean));
        }
      }),
    );
  });
});
