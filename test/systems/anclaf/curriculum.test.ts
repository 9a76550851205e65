import { describe, expect, test } from "vitest";
import { PAPER_LENGTHS, rungsOf } from "../../../src/systems/anclaf/curriculum.ts";

const asked = {
  model: "anclaf-sa" as const,
  n: 8,
  lengths: PAPER_LENGTHS,
  everyLength: false,
  controls: false,
  steps: 10,
};
const way = (options: Partial<Parameters<typeof rungsOf>[0]> = {}) =>
  rungsOf({ ...asked, ...options }).map(({ name, from }) => `${from ?? "fresh"} > ${name}`);

describe("the way to a sequence model", () => {
  test("goes from length to length, and to attention at the end", () => {
    expect(way()).toEqual([
      "fresh > anclaf-s-2",
      "anclaf-s-2 > anclaf-s-4",
      "anclaf-s-4 > anclaf-s-8",
      "anclaf-s-8 > anclaf-sa-8",
    ]);
    expect(way({ model: "anclaf-s" })).toEqual(way().slice(0, 3));
  });

  test("has a length of its own at the end, and takes lengths in any order", () => {
    expect(way({ n: 6, lengths: [4, 2, 4], model: "anclaf-s" })).toEqual([
      "fresh > anclaf-s-2",
      "anclaf-s-2 > anclaf-s-4",
      "anclaf-s-4 > anclaf-s-6",
    ]);
    expect(way({ n: 2 })).toEqual(["fresh > anclaf-s-2", "anclaf-s-2 > anclaf-sa-2"]);
    expect(way({ n: 5, lengths: [] })).toEqual(["fresh > anclaf-s-5", "anclaf-s-5 > anclaf-sa-5"]);
  });

  test("with attention at every length, as the tables have it", () => {
    expect(way({ n: 32, everyLength: true })).toHaveLength(10);
    expect(way({ n: 4, everyLength: true }).slice(2)).toEqual(["anclaf-s-2 > anclaf-sa-2", "anclaf-s-4 > anclaf-sa-4"]);
  });

  test("controls begin where attention began, and have its iterations or more", () => {
    const all = rungsOf({ ...asked, controls: true });
    expect(way({ controls: true }).slice(4)).toEqual([
      "anclaf-s-8 > uniform-8",
      "anclaf-s-8 > longer-8",
      "anclaf-s-8 > shuffled-8",
      "fresh > frame-8",
    ]);
    expect(all.filter(({ shuffled }) => shuffled).map(({ name }) => name)).toEqual(["shuffled-8"]);
    expect(all.filter(({ freshAttention }) => freshAttention).map(({ variant }) => variant)).toEqual([
      "sa",
      "uniform",
      "sa",
    ]);
    expect(all.map(({ steps }) => steps)).toEqual([10, 10, 10, 10, 10, 10, 10, 40]);
  });

  test("a single frame is no window", () => {
    expect(() => rungsOf({ ...asked, n: 1 })).toThrow("cannot be trained on windows of 1 steps");
    expect(() => rungsOf({ ...asked, lengths: [2.5] })).toThrow("windows of 2.5 steps");
  });
});
