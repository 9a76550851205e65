import { expect, test } from "vitest";
import { firstNonFinite, fromHalf, toHalf } from "../../src/cache/half.ts";
import { fromFloat16, toFloat16 } from "../../src/float16.ts";

test("all 65,536 halves, at once, as one at a time", () => {
  const halves = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);
  const floats = new Float32Array(halves.length);
  fromHalf(halves, floats);
  expect([...floats].every((x, i) => Object.is(x, fromFloat16(i)))).toBe(true);

  const finite = halves.filter((half) => (half & 0x7c00) !== 0x7c00);
  const values = Float32Array.from(finite, fromFloat16);
  const back = new Uint16Array(values.length + 3);
  expect(toHalf(values, back, 3)).toBe(-1);
  expect(back.subarray(3)).toEqual(finite);
});

test("between every two neighbours: the nearer one, and the even one in the middle", () => {
  const wrong: number[] = [];
  const out = new Uint16Array(3);
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = [fromFloat16(half), fromFloat16(half + 1)];
    const middle = (low + high) / 2;
    const gap = (high - low) / 64;
    toHalf(Float32Array.of(middle - gap, middle, middle + gap), out);
    if (out[0] !== half || out[1] !== half + (half & 1) || out[2] !== half + 1) wrong.push(half);
  }
  expect(wrong).toEqual([]);
});

test.each([
  ["NaN", Number.NaN],
  ["∞", Number.POSITIVE_INFINITY],
  ["−∞", Number.NEGATIVE_INFINITY],
  ["65520", 65520],
  ["−1e30", -1e30],
])("%s is refused by its position", (_name, value) => {
  expect(toHalf(Float32Array.of(1, 2, value, 3), new Uint16Array(4))).toBe(2);
  expect(toFloat16(value) & 0x7c00).toBe(0x7c00);
});

test("the largest half still fits", () => {
  const out = new Uint16Array(2);
  expect(toHalf(Float32Array.of(65519.996, -65504), out)).toBe(-1);
  expect([...out]).toEqual([0x7bff, 0xfbff]);
});

test("the first value that is not finite", () => {
  expect(firstNonFinite(Float32Array.of())).toBe(-1);
  expect(firstNonFinite(Float32Array.of(-0, 3.4e38, 1e-45))).toBe(-1);
  expect(firstNonFinite(Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY))).toBe(1);
  expect(firstNonFinite(Float32Array.of(1, 2, Number.NEGATIVE_INFINITY))).toBe(2);
});
