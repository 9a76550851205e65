import { expect, test } from "vitest";
import { createPresence } from "../../src/vision/presence.ts";

const look = (presence: number, pts = 0, track = 0, size = 100) => ({ presence, pts, track, size });

test("alone, a face counts from the least presence on; below 48 px from a tenth of it", () => {
  for (const [size, presence, right] of [
    [48, 0.2, true],
    [48, 0.19, false],
    [47, 0.02, true],
    [47, 0.019, false],
  ] as const)
    expect(createPresence(0.2).accepts(look(presence, 0, 0, size))).toBe(right);
});

test("the mean of the track's last second keeps a face through some doubtful frames, not for ever", () => {
  const faces = createPresence(0.2);
  const step = 100_000;
  for (let i = 0; i < 5; i++) expect(faces.accepts(look(1, i * step))).toBe(true);
  // The mean is over 11 looks at most: 5 of 1, fewer from the eleventh on.
  const kept = Array.from({ length: 12 }, (_, i) => faces.accepts(look(0, (5 + i) * step)));
  const mean = kept.map((_, i) => {
    const seen = [1, 1, 1, 1, 1, ...Array(i + 1).fill(0)].slice(-11);
    return seen.reduce((a, b) => a + b) / seen.length >= 0.2;
  });
  expect(kept).toEqual(mean);
  expect(kept[0]).toBe(true);
  expect(kept.at(-1)).toBe(false);
});

test("tracks do not vouch for each other, and a second's gap is forgotten", () => {
  const faces = createPresence(0.2);
  faces.accepts(look(1, 0, 0));
  expect(faces.accepts(look(0, 1000, 1))).toBe(false);
  expect(faces.accepts(look(0, 1000, 0))).toBe(true);
  expect(faces.accepts(look(0, 1_002_000, 0))).toBe(false);
});

test("a least presence of 0 refuses nothing", () => {
  expect(createPresence(0).accepts(look(0))).toBe(true);
});
