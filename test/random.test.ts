import { expect, test } from "vitest";
import { seeded } from "../src/random.ts";

const draw = (seed: number | string, n: number) => {
  const random = seeded(seed);
  return Array.from({ length: n }, () => random.next());
};

test("equal seeds give equal numbers, other seeds others", () => {
  expect(draw("a", 50)).toEqual(draw("a", 50));
  expect(draw(1, 5)).not.toEqual(draw(2, 5));
});

test("a fork depends on its name only, not on what was drawn before", () => {
  const fresh = seeded(3).fork("x");
  const used = seeded(3);
  for (let i = 0; i < 7; i++) used.next();
  expect(used.fork("x").next()).toBe(fresh.next());
  expect(seeded(3).fork("y").next()).not.toBe(seeded(3).fork("x").next());
});

test("uniform and normal have the moments they should", () => {
  const random = seeded("moments");
  const n = 20_000;
  const moments = (next: () => number) => {
    const values = Array.from({ length: n }, next);
    const mean = values.reduce((a, b) => a + b, 0) / n;
    return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / n, values };
  };
  const uniform = moments(() => random.uniform(2, 5));
  expect(uniform.mean).toBeCloseTo(3.5, 1);
  expect(uniform.variance).toBeCloseTo(9 / 12, 1);
  expect(Math.min(...uniform.values)).toBeGreaterThanOrEqual(2);
  expect(Math.max(...uniform.values)).toBeLessThan(5);
  const normal = moments(() => random.normal());
  expect(normal.mean).toBeCloseTo(0, 1);
  expect(normal.variance).toBeCloseTo(1, 1);
});

test("neighbouring seeds start far apart", () => {
  const first = Array.from({ length: 200 }, (_, seed) => seeded(seed).next());
  expect(new Set(first).size).toBe(200);
  expect(first.filter((value) => value < 0.5).length).toBeGreaterThan(70);
  expect(first.filter((value) => value < 0.5).length).toBeLessThan(130);
});

test("pick gives every entry of the list", () => {
  const random = seeded("pick");
  expect(new Set(Array.from({ length: 100 }, () => random.pick(["a", "b", "c"]))).size).toBe(3);
});
