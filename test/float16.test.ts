import fc from "fast-check";
import { expect, test } from "vitest";
import { fromFloat16, toFloat16 } from "../src/float16.ts";

test("all 65,536 halves come back as they went", () => {
  const changed: number[] = [];
  for (let half = 0; half < 65_536; half++) {
    const value = fromFloat16(half);
    if (Number.isNaN(value) ? !Number.isNaN(fromFloat16(toFloat16(value))) : toFloat16(value) !== half)
      changed.push(half);
  }
  expect(changed).toEqual([]);
});

test("known values", () => {
  expect([1, -2, 65504, 2 ** -24, 2 ** -14, Number.POSITIVE_INFINITY].map(toFloat16)).toEqual([
    0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00,
  ]);
  expect(Object.is(fromFloat16(toFloat16(-0)), -0)).toBe(true);
});

test("ties go to the even half, and just below 65520 stays finite", () => {
  expect(toFloat16(1 + 2 ** -11)).toBe(0x3c00);
  expect(toFloat16(1 + 3 * 2 ** -11)).toBe(0x3c02);
  expect(toFloat16(2 ** -25)).toBe(0);
  expect(toFloat16(2 ** -25 + 2 ** -48)).toBe(1);
  expect(toFloat16(3 * 2 ** -25)).toBe(2);
  expect(toFloat16(65519.99)).toBe(0x7bff);
  expect(toFloat16(65520)).toBe(0x7c00);
});

test("a float becomes the nearest half", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, min: -65504, max: 65504 }), (x) => {
      const half = toFloat16(x);
      const error = Math.abs(fromFloat16(half) - x);
      const magnitude = half & 0x7fff;
      for (const other of [magnitude - 1, magnitude + 1])
        if (other >= 0 && other <= 0x7bff)
          expect(error).toBeLessThanOrEqual(Math.abs(fromFloat16(other) - Math.abs(x)));
    }),
  );
});
