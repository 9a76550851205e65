import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Image } from "../../src/records.ts";
import { resample } from "../../src/vision/resample.ts";

function noise(width: number, height: number): Image {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919 + (i >> 3) * 104729) % 251);
  return { width, height, data };
}

/** Pillow's bilinear along one axis: a triangle as wide as the step, over pixel centres, weights that sum to one. */
function weights(length: number, size: number, k: number): { at: number; weight: number }[] {
  const step = length / size;
  const reach = Math.max(1, step);
  const centre = (k + 0.5) * step;
  const list = Array.from({ length }, (_, at) => ({
    at,
    weight: Math.max(0, 1 - Math.abs(at + 0.5 - centre) / reach),
  })).filter(({ weight }) => weight > 0);
  const total = list.reduce((sum, { weight }) => sum + weight, 0);
  return list.map(({ at, weight }) => ({ at, weight: weight / total }));
}

describe("resample", () => {
  test("shrinks by the triangle filter, away from the edges", async () => {
    const image = noise(60, 40);
    const box = { x: 7, y: 5, width: 48, height: 32 };
    const [width, height] = [15, 11];
    const out = await resample(image, box, { width, height });
    expect([out.width, out.height, out.data.length]).toEqual([width, height, width * height * 3]);
    let worst = 0;
    for (let y = 2; y < height - 2; y++)
      for (let x = 2; x < width - 2; x++)
        for (let c = 0; c < 3; c++) {
          let value = 0;
          for (const v of weights(box.height, height, y))
            for (const h of weights(box.width, width, x))
              value += v.weight * h.weight * image.data[((box.y + v.at) * 60 + box.x + h.at) * 3 + c]!;
          worst = Math.max(worst, Math.abs(value - out.data[(y * width + x) * 3 + c]!));
        }
    // libvips rounds between its two passes, and places a pixel to a fraction of its width.
    expect(worst).toBeLessThan(4);
  });

  test("pixels outside the box are never seen; a box of its own size is copied", async () => {
    const place = fc.tuple(
      fc.nat({ max: 6 }),
      fc.nat({ max: 6 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
    );
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 20 }), async ([x, y, width, height], side) => {
        const image = noise(16, 16);
        const copy = await resample(image, { x, y, width, height }, { width, height });
        const inside = (row: number) => image.data.subarray(((y + row) * 16 + x) * 3, ((y + row) * 16 + x + width) * 3);
        for (let row = 0; row < height; row++)
          expect([...copy.data.subarray(row * width * 3, (row + 1) * width * 3)]).toEqual([...inside(row)]);
        const alone = await resample(copy, { x: 0, y: 0, width, height }, { width: side, height: side });
        expect(await resample(image, { x, y, width, height }, { width: side, height: side })).toEqual(alone);
      }),
      { numRuns: 40 },
    );
  });
});
