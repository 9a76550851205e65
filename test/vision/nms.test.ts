import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { iou } from "../../src/vision/boxes.ts";
import type { Detection } from "../../src/vision/detector.ts";
import { greedyNms, weightedNms } from "../../src/vision/nms.ts";

const side = fc.integer({ min: 1, max: 12 });
const place = fc.integer({ min: 0, max: 20 });
const box = fc.record({ x: place, y: place, width: side, height: side });
/** Candidates whose scores all differ. */
const candidates = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 1000 }), box), { selector: ([score]) => score, maxLength: 12 })
  .map((list) =>
    list.map(
      ([score, box]): Detection => ({ score: score / 1000, box, landmarks: Float32Array.of(box.x, box.y + score) }),
    ),
  );

/** Every candidate belongs to the best remaining one that it overlaps: said once per candidate, not per group. */
function slowGroups(all: readonly Detection[], overlap: number): Detection[][] {
  const sorted = [...all].sort((a, b) => b.score - a.score);
  const leaders: Detection[] = [];
  const groups = new Map<Detection, Detection[]>();
  for (const one of sorted) {
    const leader = leaders.find((other) => iou(other.box, one.box) > overlap);
    if (leader) groups.get(leader)!.push(one);
    else {
      leaders.push(one);
      groups.set(one, [one]);
    }
  }
  return leaders.map((leader) => groups.get(leader)!);
}

describe("non-maximum suppression", () => {
  test("greedy keeps the leaders", () => {
    fc.assert(
      fc.property(candidates, (all) => {
        expect(greedyNms(all, 0.3)).toEqual(slowGroups(all, 0.3).map(([leader]) => leader));
      }),
    );
  });

  test("weighted gives the leaders' scores and the groups' weighted means", () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const merged = weightedNms(all, 0.3);
        const groups = slowGroups(all, 0.3);
        expect(merged.length).toBe(groups.length);
        groups.forEach((group, i) => {
          const total = group.reduce((sum, { score }) => sum + score, 0);
          for (const key of ["x", "y", "width", "height"] as const) {
            let mean = 0;
            for (const one of group) mean += (one.score / total) * one.box[key];
            expect(merged[i]!.box[key]).toBeCloseTo(mean, 9);
          }
          let first = 0;
          for (const one of group) first += (one.score / total) * one.landmarks![1]!;
          expect(merged[i]!.landmarks![1]).toBeCloseTo(first, 3);
          expect(merged[i]!.score).toBe(group[0]!.score);
        });
      }),
    );
  });

  test("the order of the candidates is of no account", () => {
    fc.assert(
      fc.property(candidates, fc.nat(), (all, seed) => {
        const turned = all.map((_, i) => all[(i + seed) % all.length]!);
        expect(weightedNms(turned, 0.3)).toEqual(weightedNms(all, 0.3));
      }),
    );
  });

  test("no candidates, none without landmarks invented", () => {
    expect(weightedNms([], 0.3)).toEqual([]);
    const twin = { box: { x: 1, y: 2, width: 3, height: 4 }, landmarks: null };
    const merged = weightedNms(
      [
        { ...twin, score: 0.5 },
        { ...twin, score: 0.25 },
      ],
      0.3,
    );
    expect(merged).toEqual([{ ...twin, score: 0.5 }]);
  });
});
