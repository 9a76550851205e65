import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Detection } from "../../src/vision/detector.ts";
import { createTracker } from "../../src/vision/tracker.ts";

const MS = 1000;
const found = (x: number, y: number, side = 40, score = 0.9): Detection => ({
  box: { x, y, width: side, height: side },
  score,
  landmarks: null,
});

describe("tracker", () => {
  test("the order of a frame's detections changes no id", () => {
    const detection = fc
      .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 200 }), fc.integer({ min: 10, max: 60 }))
      .chain(([x, y, side]) => fc.integer({ min: 30, max: 99 }).map((score) => found(x, y, side, score / 100)));
    const frames = fc.array(
      fc.tuple(
        fc.uniqueArray(detection, { selector: (d) => JSON.stringify(d.box), maxLength: 5 }),
        fc.nat({ max: 4 }),
        fc.nat({ max: 300 }),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(frames, (frames) => {
        const [one, other] = [createTracker({ startScore: 0.5 }), createTracker({ startScore: 0.5 })];
        let pts = 0;
        for (const [detections, turn, wait] of frames) {
          pts += wait * MS;
          const order = detections.map((_, i) => (i + turn) % detections.length).reverse();
          const ids = one.update(detections, pts);
          const turned = other.update(
            order.map((i) => detections[i]!),
            pts,
          );
          expect(turned).toEqual(order.map((i) => ids[i]));
          const given = ids.filter((id) => id >= 0);
          expect(new Set(given).size).toBe(given.length);
          detections.forEach(({ score }, i) => {
            if (score >= 0.5) expect(ids[i]).toBeGreaterThanOrEqual(0);
          });
        }
      }),
    );
  });

  test("two people who walk past each other at irregular times, with noise, keep their ids", () => {
    const jitter = fc.integer({ min: -2, max: 2 });
    const step = fc.record({
      dt: fc.integer({ min: 10, max: 120 }),
      noise: fc.array(jitter, { minLength: 4, maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        const tracker = createTracker({ startScore: 0.5 });
        let pts = 0;
        for (const { dt, noise } of steps) {
          pts += dt * MS;
          const t = pts / 1e6;
          const left = found(10 + 90 * t + noise[0]!, 50 + noise[1]!, 60);
          const right = found(500 - 90 * t + noise[2]!, 150 + noise[3]!, 50);
          expect(tracker.update([right, left], pts)).toEqual([1, 0]);
        }
      }),
    );
  });

  test("speed is learnt in time, not in frames: a gap of a few frames is bridged where the face will be", () => {
    const tracker = createTracker({ startScore: 0.5 });
    const at = (ms: number) => found(100 + 0.2 * ms, 80);
    for (let ms = 0; ms <= 600; ms += 40) expect(tracker.update([at(ms)], ms * MS)).toEqual([0]);
    for (let ms = 640; ms < 1000; ms += 40) tracker.update([], ms * MS);
    // 0.4 s × 200 px/s is twice the box: without prediction nothing would overlap.
    expect(tracker.update([at(1000)], 1000 * MS)).toEqual([0]);
  });

  test("a weak detection continues a track but starts none", () => {
    const tracker = createTracker({ startScore: 0.5 });
    expect(tracker.update([found(10, 10, 40, 0.35)], 0)).toEqual([-1]);
    expect(tracker.update([found(10, 10)], 40 * MS)).toEqual([0]);
    expect(tracker.update([found(12, 10, 40, 0.35), found(200, 10, 40, 0.35)], 80 * MS)).toEqual([0, -1]);
    expect(tracker.update([found(14, 10)], 120 * MS)).toEqual([0]);
  });

  test("an id is never used again: not after a cut, not after a long absence", () => {
    const tracker = createTracker({ startScore: 0.5, maxGap: 500 * MS });
    expect(tracker.update([found(10, 10), found(200, 10, 30)], 0)).toEqual([0, 1]);
    tracker.cut();
    expect(tracker.update([found(10, 10), found(200, 10, 30)], 40 * MS)).toEqual([2, 3]);
    expect(tracker.update([], 80 * MS)).toEqual([]);
    expect(tracker.update([found(10, 10)], 540 * MS)).toEqual([2]);
    expect(tracker.update([found(10, 10)], 1041 * MS)).toEqual([4]);
  });

  test("tracks that start together are numbered from the largest down", () => {
    const tracker = createTracker({ startScore: 0.5 });
    expect(tracker.update([found(0, 0, 20), found(100, 0, 60), found(200, 0, 40)], 0)).toEqual([2, 0, 1]);
  });

  test("equal timestamps and empty frames do no harm", () => {
    const tracker = createTracker({ startScore: 0.5 });
    expect(tracker.update([], 0)).toEqual([]);
    expect(tracker.update([found(5, 5)], 10)).toEqual([0]);
    expect(tracker.update([found(5, 5)], 10)).toEqual([0]);
  });
});
