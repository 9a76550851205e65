import { expect, test } from "vitest";
import { windowLabels } from "../../src/datasets/window-labels.ts";
import type { Window } from "../../src/records.ts";

const range = { valence: [-10, 10], arousal: [0, 1] } as const;

function window(labels: number[], { fresh = 0, present = labels.map(() => 1).slice(labels.length / 2) } = {}): Window {
  const n = labels.length / 2;
  return {
    kind: "window",
    n,
    source: "s",
    clip: null,
    track: 0,
    folder: "/f",
    shape: [1],
    rows: new Int32Array(n),
    index: new Int32Array(n),
    pts: new Float64Array(n),
    present: Uint8Array.from(present),
    labels: Float32Array.from(labels),
    length: n,
    fresh,
  };
}

test("weights have mean 1 over frames that are there, labelled, and seen for the first time", () => {
  const nan = Number.NaN;
  const windows = [
    window([5, 0.5, 5, 0.5, -5, 0.25]),
    window([nan, nan, 5, 1, 9, 1], { present: [1, 1, 0] }),
    window([-5, 0.25, 0, 0, 0, 0], { fresh: 1 }),
  ];
  const labels = windowLabels(windows, range);
  const counted = [
    [5, 0.5],
    [5, 0.5],
    [-5, 0.25],
    [5, 1],
    [0, 0],
    [0, 0],
  ] as const;
  expect(labels.frames).toBe(6);
  expect(labels.mean.valence).toBeCloseTo(10 / 6, 10);
  expect(labels.mean.arousal).toBeCloseTo(2.25 / 6, 10);
  for (const d of [0, 1] as const)
    expect(counted.reduce((sum, pair) => sum + labels.weight(pair[d], d), 0) / 6).toBeCloseTo(1, 10);
  // One, two and three times: inverse of the count and one.
  expect(labels.weight(-5, 0) / labels.weight(0, 0)).toBeCloseTo(3 / 2, 10);
  expect(labels.weight(-5, 0) / labels.weight(5, 0)).toBeCloseTo(4 / 2, 10);
  expect([labels.unit(5, 0), labels.unit(0.25, 1)]).toEqual([0.5, -0.5]);
});

test("refuses labels outside the range, and no labels", () => {
  expect(() => windowLabels([window([11, 0])], range)).toThrow("The label 11 is outside the range -10..10");
  expect(() => windowLabels([window([Number.NaN, Number.NaN])], range)).toThrow("No frame of the training people");
});
