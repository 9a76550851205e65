import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Box } from "../../src/records.ts";
import type { Detection } from "../../src/vision/detector.ts";
import { closeScale, createLooks, mergeLooks, tilesOver, uncut } from "../../src/vision/looks.ts";

const HD = { width: 1920, height: 1080 };
const box = (x: number, y: number, side: number): Box => ({ x, y, width: side, height: side });
const found = (x: number, y: number, side: number, score = 0.9): Detection => ({
  box: box(x, y, side),
  score,
  landmarks: null,
});

test("the close look gives the smallest wanted face 13 pixels; none where the whole frame's is as fine", () => {
  expect(closeScale(HD, 20)).toBe(13 / 20);
  expect(closeScale(HD, 100)).toBeNull();
  expect(closeScale({ width: 640, height: 360 }, 20)).toBe(13 / 20);
  expect(closeScale({ width: 176, height: 144 }, 20)).toBeNull();
  expect(closeScale(HD, 0)).toBe(1);
  // 8K: faces too large for the close look must not be too small for the whole.
  expect(closeScale({ width: 7680, height: 4320 }, 20)).toBe((12 * 256) / 7680);
});

test("tiles hold every box with half a side around it, lie in the frame, and never cost more than all of it", () => {
  const boxes = fc.array(
    fc.record({
      x: fc.integer({ min: -10, max: 1900 }),
      y: fc.integer({ min: -10, max: 1060 }),
      side: fc.integer({ min: 1, max: 140 }),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(boxes, (many) => {
      const all = many.map(({ x, y, side }) => box(x, y, side));
      const tiles = tilesOver(all, HD, 0.65);
      for (const tile of tiles) {
        for (const value of Object.values(tile)) expect(Number.isInteger(value)).toBe(true);
        expect(tile.x >= 0 && tile.y >= 0).toBe(true);
        expect(tile.x + tile.width <= HD.width && tile.y + tile.height <= HD.height).toBe(true);
      }
      const area = tiles.reduce((sum, { width, height }) => sum + width * height, 0);
      expect(area).toBeLessThanOrEqual(HD.width * HD.height);
      expect(tiles.length).toBeLessThanOrEqual(all.length);
      // Pixel by pixel of what must be seen, inside the frame.
      for (const { x, y, width } of all) {
        const [left, right] = [Math.max(0, x - width / 2), Math.min(HD.width, x + 1.5 * width)];
        const [top, bottom] = [Math.max(0, y - width / 2), Math.min(HD.height, y + 1.5 * width)];
        const holds = tiles.some(
          (tile) => tile.x <= left && tile.y <= top && tile.x + tile.width >= right && tile.y + tile.height >= bottom,
        );
        expect(holds).toBe(true);
      }
    }),
  );
  expect(tilesOver([], HD, 0.65)).toEqual([]);
  expect(tilesOver([box(10, 10, 30)], { width: 300, height: 200 }, 0.65)).toEqual([
    { x: 0, y: 0, width: 300, height: 200 },
  ]);
});

test("what a part's border cuts is left to another look; the frame's border cuts nothing", () => {
  const part = { x: 0, y: 200, width: 400, height: 400 };
  const kept = (one: Detection) => uncut([one], part, HD).length === 1;
  expect(kept(found(-5, 300, 40))).toBe(true);
  expect(kept(found(100, 300, 40))).toBe(true);
  expect(kept(found(100, 198, 40))).toBe(false);
  expect(kept(found(100, 203, 40))).toBe(false);
  expect(kept(found(359, 300, 40))).toBe(false);
});

describe("merging", () => {
  test("a face in both looks is one: a large one the whole frame's, a small one the close look's", () => {
    expect(mergeLooks([found(100, 100, 300, 0.6)], [found(110, 100, 280)], HD, 0.5)).toEqual([
      found(100, 100, 300, 0.6),
    ]);
    expect(mergeLooks([found(100, 100, 90)], [found(104, 100, 84, 0.6)], HD, 0.5)).toEqual([found(104, 100, 84, 0.6)]);
  });

  test("a nose is no face beside its face, unless the large one is in doubt", () => {
    const nose = found(200, 200, 80);
    expect(mergeLooks([found(100, 100, 300)], [nose], HD, 0.5)).toEqual([found(100, 100, 300)]);
    expect(mergeLooks([found(100, 100, 300, 0.4)], [nose], HD, 0.5)).toEqual([nose]);
  });

  test("a small face that two tiles saw is one", () => {
    expect(mergeLooks([], [found(100, 100, 40, 0.8), found(103, 99, 41, 0.9)], HD, 0.5)).toEqual([
      found(103, 99, 41, 0.9),
    ]);
  });

  test("without close looks the detector's answer stays as it is", () => {
    const whole = [found(0, 0, 90), found(10, 10, 60)];
    expect(mergeLooks(whole, [], HD, 0.5)).toEqual(whole);
  });

  test("against a slow loop: no two kept are one face, and all that is left out is one with a kept face", () => {
    const some = fc.array(
      fc
        .tuple(
          fc.integer({ min: 0, max: 400 }),
          fc.integer({ min: 0, max: 400 }),
          fc.integer({ min: 8, max: 320 }),
          fc.integer({ min: 30, max: 99 }),
        )
        .map(([x, y, side, score]) => found(x, y, side, score / 100)),
      { maxLength: 8 },
    );
    // Counted on whole pixels.
    const one = (a: Box, b: Box): boolean => {
      let both = 0;
      for (let y = a.y; y < a.y + a.height; y++)
        for (let x = a.x; x < a.x + a.width; x++)
          if (x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height) both++;
      const [p, q] = [a.width * a.height, b.width * b.height];
      return both / (p + q - both) > 0.3 || both > 0.7 * Math.min(p, q);
    };
    fc.assert(
      fc.property(some, some, (whole, close) => {
        fc.pre(close.length > 0);
        const kept = mergeLooks(whole, close, HD, 0.5);
        for (const [i, a] of kept.entries()) for (const b of kept.slice(i + 1)) expect(one(a.box, b.box)).toBe(false);
        for (const left of [...whole, ...close].filter((each) => !kept.includes(each)))
          expect(kept.some(({ box: other }) => one(other, left.box))).toBe(true);
        expect(kept.map(({ score }) => score)).toEqual(kept.map(({ score }) => score).sort((a, b) => b - a));
      }),
      { numRuns: 40 },
    );
  });
});

describe("looks of a video", () => {
  const frames = (from: number, n: number, shot: number) =>
    Array.from({ length: n }, (_, i) => ({ shot, pts: (from + i) * 40_000, size: HD }));
  const all = [{ part: { x: 0, y: 0, ...HD }, scale: 0.65 }];

  test("all of a frame while a shot begins and after a quarter of a second; else tiles over small faces", () => {
    const looks = createLooks("auto", 20);
    const first = frames(0, 4, 0);
    expect(looks.looks(first)).toEqual([all, all, all, all]);
    looks.found(first, [[], [], [], [found(600, 500, 50), found(100, 100, 400)]]);
    const second = frames(4, 4, 0);
    const tiles = tilesOver([box(600, 500, 50)], HD, 0.65).map((part) => ({ part, scale: 0.65 }));
    expect(tiles.length).toBe(1);
    expect(looks.looks(second)).toEqual([tiles, tiles, tiles, tiles]);
    looks.found(second, [[], [], [], []]);
    // 3 to 10: 280 ms after the last look at all of it.
    expect(looks.looks(frames(8, 4, 0))).toEqual([[], [], all, []]);
    looks.found(frames(8, 4, 0), [[], [], [], []]);
    expect(looks.looks([...frames(12, 1, 0), ...frames(13, 2, 1)])).toEqual([[], all, all]);
  });

  test("whole: never; tiles: all of every frame; few frames a second: all of each", () => {
    expect(createLooks("whole", 20).looks(frames(0, 2, 0))).toEqual([[], []]);
    const tiles = createLooks("tiles", 20);
    tiles.looks(frames(0, 1, 0));
    tiles.found(frames(0, 1, 0), [[]]);
    expect(tiles.looks(frames(1, 2, 0))).toEqual([all, all]);
    const slow = createLooks("auto", 20);
    slow.looks(frames(0, 1, 0));
    slow.found(frames(0, 1, 0), [[]]);
    expect(slow.looks([25, 50].map((at) => frames(at, 1, 0)[0]!))).toEqual([all, all]);
  });
});
