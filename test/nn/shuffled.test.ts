import { expect, test } from "vitest";
import { shuffled } from "../../src/nn/shuffled.ts";

const take = (at: (place: number) => number, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => at(from + i));

test("everything comes once an epoch, each epoch in another order", () => {
  const at = shuffled(50, 3);
  const epochs = [0, 1, 2].map((epoch) => take(at, epoch * 50, 50));
  for (const epoch of epochs) expect(new Set(epoch)).toEqual(new Set(take((i) => i, 0, 50)));
  expect(new Set(epochs.map(String)).size).toBe(3);
});

test("a pure function of place and seed, in whatever order it is asked", () => {
  const expected = take(shuffled(7, "a"), 0, 70);
  const at = shuffled(7, "a");
  for (const place of [69, 0, 33, 34, 35, 14, 68, 1]) expect(at(place)).toBe(expected[place]);
  expect(take(shuffled(7, "b"), 0, 70)).not.toEqual(expected);
});

test("each place has each item equally often", () => {
  const counts = new Array<number>(5).fill(0);
  for (let seed = 0; seed < 5000; seed++) counts[shuffled(5, seed)(0)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(800));
});

test("one item, and none", () => {
  expect(take(shuffled(1, 1), 0, 3)).toEqual([0, 0, 0]);
  expect(() => shuffled(0, 1)).toThrow(RangeError);
});
