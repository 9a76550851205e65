import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shown } from "../../src/datasets/shown.ts";
import type { DecodedFrame } from "../../src/media/index.ts";

const image = { width: 1, height: 1, data: new Uint8Array(3) };

async function* pictures(times: readonly number[]): AsyncGenerator<DecodedFrame> {
  for (const [index, pts] of times.entries()) yield { index, pts, firstPts: times[0]!, image };
}

/** Picture index → ids of its labels. */
async function match(
  times: readonly number[],
  ids: readonly number[],
  { first = 0, rate = 50 as number | "video" } = {},
): Promise<number[][]> {
  const all: number[][] = [];
  for await (const { frame, labels } of shown(pictures(times), ids, { kind: "video", path: "", first, rate })) {
    expect(frame.index).toBe(all.length);
    all.push(labels.map((label) => ids[label]!));
  }
  return all;
}

const times = fc
  .tuple(fc.integer({ min: 0, max: 1e6 }), fc.array(fc.integer({ min: 1, max: 120_000 }), { maxLength: 30 }))
  .map(([start, steps]) => [start, ...steps].map((_, i) => start + steps.slice(0, i).reduce((a, b) => a + b, 0)));
const labels = fc
  .uniqueArray(fc.integer({ min: 0, max: 150 }), { maxLength: 80 })
  .map((ids) => ids.sort((a, b) => a - b));

describe("which picture a label belongs to", () => {
  it("is the one shown in the middle of its tick, found by a slow search", async () => {
    await fc.assert(
      fc.asyncProperty(
        times,
        labels,
        fc.integer({ min: 0, max: 5 }),
        fc.constantFrom(10, 25, 50),
        async (pts, ids, first, rate) => {
          const tick = 1e6 / rate;
          const last = Math.max(tick, pts.length > 1 ? pts.at(-1)! - pts.at(-2)! : 0);
          const slow = pts.map((start, i) => {
            const end = pts[i + 1] ?? start + last;
            return ids.filter((id) => {
              const middle = pts[0]! + (id - first + 0.5) * tick;
              return id >= first && start <= middle && middle < end;
            });
          });
          expect(await match(pts, ids, { first, rate })).toEqual(slow);
        },
      ),
    );
  });

  it("is one for each where both have one rate, and bears times that shake", async () => {
    const pts = [7, 20_011, 39_990, 60_004, 79_999];
    expect(await match(pts, [0, 1, 2, 3, 4])).toEqual([[0], [1], [2], [3], [4]]);
    expect(await match(pts, [1, 2, 3, 4, 5], { first: 1 })).toEqual([[1], [2], [3], [4], [5]]);
  });

  it("is shared where the video has fewer pictures, and passes over those it has too many", async () => {
    expect(await match([0, 40_000, 80_000], [0, 1, 2, 3, 4, 5, 6])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(await match([0, 10_000, 20_000, 30_000], [0, 1])).toEqual([[], [0], [], [1]]);
  });

  it("goes by number for one label a picture, whatever the times", async () => {
    expect(await match([0, 5, 900_000], [1, 2, 3, 4], { first: 2, rate: "video" })).toEqual([[2], [3], [4]]);
  });

  it("is none without pictures", async () => {
    expect(await match([], [0, 1])).toEqual([]);
    expect(await match([10], [])).toEqual([[]]);
  });
});
