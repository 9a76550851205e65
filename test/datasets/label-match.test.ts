import { expect, test } from "vitest";
import type { Said } from "../../src/datasets/label-at.ts";
import { saidOfFaces } from "../../src/datasets/label-match.ts";
import { seeded } from "../../src/random.ts";
import type { Box } from "../../src/records.ts";
import { iou } from "../../src/vision/boxes.ts";

const said = (person: number, box: Box | null): Said => ({
  person,
  points: [0],
  label: { valence: person / 10, arousal: 0 },
  box,
});
const people = (found: readonly (Said | undefined)[]) => found.map((one) => one?.person);
const square = (x: number, side = 10): Box => ({ x, y: 0, width: side, height: side });

test("without boxes: one label to one face, and none where there are more of either", () => {
  const [one, two] = [said(0, null), said(1, null)];
  expect(people(saidOfFaces([square(0)], [one], 0.3))).toEqual([0]);
  expect(people(saidOfFaces([null, square(0)], [one], 0.3))).toEqual([undefined, 0]);
  expect(people(saidOfFaces([square(0), square(90)], [one], 0.3))).toEqual([undefined, undefined]);
  expect(people(saidOfFaces([square(0)], [one, two], 0.3))).toEqual([undefined]);
  expect(people(saidOfFaces([null], [one], 0.3))).toEqual([undefined]);
  expect(people(saidOfFaces([square(0)], [], 0.3))).toEqual([undefined]);
  expect(saidOfFaces([], [one], 0.3)).toEqual([]);
});

test("with boxes: who overlaps enough, exactly the limit included; a single face of another's is left alone", () => {
  // 10 wide and shifted by 5: a third is shared.
  expect(people(saidOfFaces([square(5)], [said(0, square(0))], 1 / 3))).toEqual([0]);
  expect(people(saidOfFaces([square(5)], [said(0, square(0))], 0.34))).toEqual([undefined]);
  expect(people(saidOfFaces([square(50)], [said(0, square(0))], 0.3))).toEqual([undefined]);
  expect(people(saidOfFaces([null, square(1)], [said(3, square(0))], 0.3))).toEqual([undefined, 3]);
});

test("one to one, and the overlaps add up to the most: as trying every pairing", () => {
  const random = seeded("pairs");
  for (let round = 0; round < 60; round++) {
    const box = (): Box => ({
      x: random.uniform(0, 20),
      y: random.uniform(0, 20),
      width: random.uniform(8, 30),
      height: random.uniform(8, 30),
    });
    const faces = Array.from({ length: Math.floor(random.uniform(1, 5)) }, box);
    const labels = Array.from({ length: Math.floor(random.uniform(1, 5)) }, (_, i) => said(i, box()));
    const found = people(saidOfFaces(faces, labels, 0.3));
    const taken = found.filter((one) => one !== undefined);
    expect(new Set(taken).size).toBe(taken.length);
    const gains = faces.map((face) => labels.map((one) => iou(face, one.box!)));
    for (const [i, one] of found.entries()) if (one !== undefined) expect(gains[i]![one]).toBeGreaterThanOrEqual(0.3);
    const total = found.reduce<number>((sum, one, i) => sum + (one === undefined ? 0 : gains[i]![one]! - 0.3), 0);
    expect(total).toBeCloseTo(best(gains, 0, new Set()), 9);
  }
});

/** The most that overlaps above the limit can add up to, from this face on. */
function best(gains: readonly (readonly number[])[], face: number, used: Set<number>): number {
  if (face === gains.length) return 0;
  let most = best(gains, face + 1, used);
  for (const [i, gain] of gains[face]!.entries()) {
    if (gain < 0.3 || used.has(i)) continue;
    used.add(i);
    most = Math.max(most, gain - 0.3 + best(gains, face + 1, used));
    used.delete(i);
  }
  return most;
}
