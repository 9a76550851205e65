import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/random.ts";
import {
  DISTORTION_KINDS,
  type Distortion,
  distort,
  drawDistortion,
  drawOf,
  LEVELS,
} from "../../../src/systems/anclaf/distortions.ts";

const noisy = (side: number, seed = 1) => {
  const random = seeded(seed);
  return Uint8Array.from({ length: side * side * 3 }, () => Math.floor(random.next() * 256));
};
const distorted = (image: Uint8Array, side: number, distortion: Distortion) => {
  const into = new Uint8Array(image.length).fill(77);
  const before = image.slice();
  distort(image, side, distortion, into);
  expect(image).toEqual(before);
  return into;
};
/** Asks `value` for each pixel's each channel. */
const everywhere = (side: number, value: (x: number, y: number, c: number) => number) =>
  Float64Array.from({ length: side * side * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % side, Math.floor(pixel / side), i % 3);
  });
const byte = (x: number) => Math.min(255, Math.max(0, Math.round(x)));
const furthest = (found: Uint8Array, expected: Float64Array) =>
  Math.max(...found.map((x, i) => Math.abs(x - byte(expected[i]!))));

describe("against an obvious loop", () => {
  const side = 24;
  const image = noisy(side);
  const at = (x: number, y: number, c: number) => {
    const inside = (i: number) => Math.min(side - 1, Math.max(0, i));
    return image[(inside(y) * side + inside(x)) * 3 + c]!;
  };

  test.each(LEVELS.downsample)("downsample, halved %d times", (halvings) => {
    const factor = 2 ** halvings;
    const small = side / factor;
    const inside = (i: number) => Math.min(small - 1, Math.max(0, i));
    const mean = (x: number, y: number, c: number) => {
      let sum = 0;
      for (let i = 0; i < factor; i++)
        for (let j = 0; j < factor; j++) sum += at(inside(x) * factor + i, inside(y) * factor + j, c);
      return byte(sum / factor ** 2);
    };
    const expected = everywhere(side, (x, y, c) => {
      const [u, v] = [(x + 0.5) / factor - 0.5, (y + 0.5) / factor - 0.5];
      const [left, top] = [Math.floor(u), Math.floor(v)];
      let sum = 0;
      for (const [i, wide] of [
        [left, 1 - (u - left)],
        [left + 1, u - left],
      ] as const)
        for (const [j, high] of [
          [top, 1 - (v - top)],
          [top + 1, v - top],
        ] as const)
          sum += wide * high * mean(i, j, c);
      return sum;
    });
    // A half may be rounded either way.
    expect(furthest(distorted(image, side, { kind: "downsample", halvings }), expected)).toBeLessThanOrEqual(1);
  });

  test.each(LEVELS.blur)("blur of %d pixels", (radius) => {
    const reach = 3 * radius;
    const bell = (d: number) => Math.exp(-(d ** 2) / (2 * radius ** 2));
    const expected = everywhere(side, (x, y, c) => {
      let [sum, total] = [0, 0];
      for (let i = -reach; i <= reach; i++)
        for (let j = -reach; j <= reach; j++) {
          sum += bell(i) * bell(j) * at(x + i, y + j, c);
          total += bell(i) * bell(j);
        }
      return sum / total;
    });
    expect(furthest(distorted(image, side, { kind: "blur", radius }), expected)).toBeLessThanOrEqual(1);
  });

  test.each(LEVELS.brightness)("brightness × %d, clipped", (factor) => {
    const expected = everywhere(side, (x, y, c) => at(x, y, c) * factor);
    expect(furthest(distorted(image, side, { kind: "brightness", factor }), expected)).toBeLessThanOrEqual(1);
  });

  test("grayscale", () => {
    const expected = everywhere(side, (x, y) => 0.299 * at(x, y, 0) + 0.587 * at(x, y, 1) + 0.114 * at(x, y, 2));
    const found = distorted(image, side, { kind: "grayscale" });
    expect(furthest(found, expected)).toBeLessThanOrEqual(1);
    for (let i = 0; i < found.length; i += 3) expect(new Set(found.slice(i, i + 3)).size).toBe(1);
  });

  test("none", () => {
    expect(distorted(image, side, { kind: "none" })).toEqual(image);
  });
});

test("occlusion covers 25.8 % of 128×128 with white, and leaves the rest", () => {
  const black = new Uint8Array(128 * 128 * 3);
  const found = distorted(black, 128, { kind: "occlusion" });
  const expected = everywhere(128, (x, y) => (x % 18 < 9 && y % 10 < 5 ? 255 : 0));
  expect(furthest(found, expected)).toBe(0);
  expect(found.filter((x) => x === 255).length / found.length).toBeCloseTo(0.258, 3);
});

describe("noise", () => {
  test.each(LEVELS.noise)("has variance %d and no mean", (variance) => {
    const gray = new Uint8Array(64 * 64 * 3).fill(128);
    const found = distorted(gray, 64, { kind: "noise", variance, seed: 5 });
    const errors = Array.from(found, (x) => (x - 128) / 255);
    const mean = errors.reduce((sum, x) => sum + x, 0) / errors.length;
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(variance / errors.length));
    expect(errors.reduce((sum, x) => sum + x * x, 0) / errors.length / variance).toBeCloseTo(1, 1);
  });

  test("is clipped at black and white, never wrapped", () => {
    for (const value of [0, 3, 252, 255]) {
      const plain = new Uint8Array(32 * 32 * 3).fill(value);
      const found = distorted(plain, 32, { kind: "noise", variance: 0.01, seed: 6 });
      const deviation = 25.5;
      expect(Math.max(...found.map((x) => Math.abs(x - value)))).toBeLessThan(6 * deviation);
      expect(found.some((x) => x === (value < 128 ? 0 : 255))).toBe(true);
    }
  });
});

test("an image that cannot be halved so often is refused", () => {
  expect(() => distort(noisy(12), 12, { kind: "downsample", halvings: 3 }, noisy(12))).toThrow(/12 pixels wide/);
});

test("half the images stay as they are; each kind has 1/12, each of its levels a third of that", () => {
  const random = seeded(9);
  const draws = 24_000;
  const counts = new Map<string, number>();
  const add = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let i = 0; i < draws; i++) {
    const { seed: _, ...drawn } = { seed: 0, ...drawDistortion(random) };
    add(drawn.kind);
    if ("halvings" in drawn || "radius" in drawn || "variance" in drawn || "factor" in drawn)
      add(JSON.stringify(drawn));
  }
  const close = (key: string, share: number) => {
    const deviation = Math.sqrt(draws * share * (1 - share));
    expect(Math.abs(counts.get(key)! - draws * share), key).toBeLessThan(4.5 * deviation);
  };
  close("none", 1 / 2);
  for (const kind of DISTORTION_KINDS) close(kind, 1 / 12);
  for (const halvings of LEVELS.downsample) close(JSON.stringify({ kind: "downsample", halvings }), 1 / 36);
  for (const radius of LEVELS.blur) close(JSON.stringify({ kind: "blur", radius }), 1 / 36);
  for (const variance of LEVELS.noise) close(JSON.stringify({ kind: "noise", variance }), 1 / 36);
  for (const factor of LEVELS.brightness) close(JSON.stringify({ kind: "brightness", factor }), 1 / 36);
  expect(counts.size).toBe(7 + 12);
});

test("the same seed draws and gives the same bytes", () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(...DISTORTION_KINDS), (seed, kind) => {
      const once = drawOf(kind, seeded(seed));
      expect(drawOf(kind, seeded(seed))).toEqual(once);
      expect(distorted(noisy(8), 8, once)).toEqual(distorted(noisy(8), 8, once));
    }),
    { numRuns: 30 },
  );
});
