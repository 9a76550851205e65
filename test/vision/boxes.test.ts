import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Box } from "../../src/records.ts";
import { anclafBox, grownBox, iou } from "../../src/vision/boxes.ts";

const whole = fc.record({
  x: fc.integer({ min: -9, max: 20 }),
  y: fc.integer({ min: -9, max: 20 }),
  width: fc.integer({ min: 0, max: 12 }),
  height: fc.integer({ min: 0, max: 12 }),
});

/** Pixels that a whole-numbered box covers. */
function pixels({ x, y, width, height }: Box): Set<string> {
  const covered = new Set<string>();
  for (let j = y; j < y + height; j++) for (let i = x; i < x + width; i++) covered.add(`${i},${j}`);
  return covered;
}

describe("iou", () => {
  test("counts pixels", () => {
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        const [p, q] = [pixels(a), pixels(b)];
        const shared = [...p].filter((pixel) => q.has(pixel)).length;
        expect(iou(a, b)).toBeCloseTo(shared === 0 ? 0 : shared / (p.size + q.size - shared), 12);
      }),
    );
  });
});

describe("anclafBox", () => {
  const frame = { width: 400, height: 300 };
  /** `count` points, all at the first but two that span the box. */
  const points = (count: number, [x0, y0, x1, y1]: number[]) =>
    Float32Array.from({ length: count * 2 }, (_, i) => (i < 2 ? [x0!, y0!][i]! : [x1!, y1!][i % 2]!));

  test("68 points: an eighth of the integer box on each side", () => {
    expect(anclafBox(points(68, [100.9, 60.2, 180.7, 140.9]), frame)).toEqual({
      x: 90,
      y: 50,
      width: 100,
      height: 100,
    });
  });

  test("49 points: 1/2.5 on each side", () => {
    expect(anclafBox(points(49, [100, 100, 150, 150]), frame)).toEqual({ x: 80, y: 80, width: 90, height: 90 });
  });

  test("is clipped to the frame", () => {
    expect(anclafBox(points(68, [4, 200, 84, 296]), frame)).toEqual({ x: 0, y: 188, width: 94, height: 112 });
  });

  test("is null where nothing lies inside", () => {
    expect(anclafBox(points(68, [500, 10, 580, 90]), frame)).toBeNull();
  });
});

test("grownBox lies inside the frame on whole pixels and holds the part of the box that does", () => {
  fc.assert(
    fc.property(whole, fc.constantFrom(0, 0.125, 0.3), (box, share) => {
      const frame = { width: 17, height: 13 };
      const grown = grownBox(box, share, frame);
      if (grown === null) return;
      for (const value of Object.values(grown)) expect(Number.isInteger(value)).toBe(true);
      const covered = pixels(grown);
      expect(covered.size).toBeGreaterThan(0);
      const inFrame = pixels({ x: 0, y: 0, ...frame });
      for (const pixel of covered) expect(inFrame.has(pixel)).toBe(true);
      for (const pixel of pixels(box)) if (inFrame.has(pixel)) expect(covered.has(pixel)).toBe(true);
    }),
  );
});
