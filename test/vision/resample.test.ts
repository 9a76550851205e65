import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Box, Image } from "../../src/records.ts";
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

/** Waves that are wide beside a pixel. */
function smooth(width: number, height: number): Image {
  const value = (x: number, y: number, c: number) => 128 + 100 * Math.sin(x / 6 + c) * Math.cos(y / 7 - c);
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    Math.round(value(Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3)),
  );
  return { width, height, data };
}

/** A bright spot on black; pixel k covers [k, k + 1). */
function blob(width: number, height: number, x: number, y: number, radius: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const squared = (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2;
      data[(row * width + column) * 3] = Math.round(255 * Math.exp(-squared / (2 * radius ** 2)));
    }
  return { width, height, data };
}

function centroid({ width, data }: Image): { x: number; y: number } {
  let [sum, x, y] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 3) {
    sum += data[i]!;
    x += data[i]! * (((i / 3) % width) + 0.5);
    y += data[i]! * (Math.floor(i / 3 / width) + 0.5);
  }
  return { x: x / sum, y: y / sum };
}

/** The largest difference of what came out to {@link weights}; without `margin` output pixels along the edges of axes that shrink. */
function furthest(out: Image, image: Image, box: Box, margin = 0): number {
  const [left, top] = [box.width > out.width ? margin : 0, box.height > out.height ? margin : 0];
  let worst = 0;
  for (let y = top; y < out.height - top; y++)
    for (let x = left; x < out.width - left; x++)
      for (let c = 0; c < 3; c++) {
        let value = 0;
        for (const v of weights(box.height, out.height, y))
          for (const h of weights(box.width, out.width, x))
            value += v.weight * h.weight * image.data[((box.y + v.at) * image.width + box.x + h.at) * 3 + c]!;
        worst = Math.max(worst, Math.abs(value - out.data[(y * out.width + x) * 3 + c]!));
      }
  return worst;
}

describe("resample", () => {
  test("shrinks by the triangle filter, away from the edges", async () => {
    const image = noise(60, 40);
    const box = { x: 7, y: 5, width: 48, height: 32 };
    const [width, height] = [15, 11];
    const out = await resample(image, box, { width, height });
    expect([out.width, out.height, out.data.length]).toEqual([width, height, width * height * 3]);
    // libvips rounds between its two passes, and places a pixel to a fraction of its width.
    expect(furthest(out, image, box, 2)).toBeLessThan(4);
  });

  test("enlarges as PyTorch does: stored values", async () => {
    // The example of torch.nn.Upsample(scale_factor=2, mode="bilinear") with align_corners=False, times 40.
    const image = { width: 2, height: 2, data: Uint8Array.from([1, 2, 3, 4].flatMap((v) => [v * 40, 0, 255])) };
    const out = await resample(image, { x: 0, y: 0, width: 2, height: 2 }, { width: 4, height: 4 });
    const red = Array.from({ length: 16 }, (_, i) => out.data[i * 3]! / 40);
    expect(red).toEqual([1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4]);
    for (let i = 0; i < 16; i++) expect([...out.data.subarray(i * 3 + 1, i * 3 + 3)]).toEqual([0, 255]);
  });

  test("enlarges exactly, edges and single pixels too", async () => {
    const side = fc.integer({ min: 1, max: 14 });
    await fc.assert(
      fc.asyncProperty(side, side, fc.nat({ max: 20 }), fc.nat({ max: 20 }), async (w, h, moreW, moreH) => {
        const box = { x: 3, y: 2, width: w, height: h };
        const out = await resample(noise(20, 18), box, { width: w + moreW, height: h + moreH });
        // Equal up to the one rounding, whichever way .5 goes in single precision.
        expect(furthest(out, noise(20, 18), box)).toBeLessThan(0.501);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    [48, 9, 15, 30],
    [9, 48, 30, 15],
    [48, 1, 15, 7],
    [1, 32, 7, 15],
    [48, 11, 15, 11],
  ])("%d × %d to %d × %d: one axis shrinks, the other grows or stays", async (w, h, width, height) => {
    const box = { x: 4, y: 6, width: w, height: h };
    const image = smooth(60, 60);
    expect(furthest(await resample(image, box, { width, height }), image, box, 2)).toBeLessThan(2);
  });

  test("a place stays where it is while its box goes through the crop's own size", async () => {
    const [x, y] = [97.3, 81.6];
    const image = blob(200, 180, x, y, 6);
    for (const width of [90, 119, 126, 127, 128, 129, 130, 137, 200])
      for (const height of [100, 127, 128, 129, 160]) {
        const box = { x: Math.min(60, 200 - width), y: Math.min(40, 180 - height), width, height };
        const centre = centroid(await resample(image, box, { width: 128, height: 128 }));
        expect(Math.abs(box.x + (centre.x * width) / 128 - x)).toBeLessThan(0.03);
        expect(Math.abs(box.y + (centre.y * height) / 128 - y)).toBeLessThan(0.03);
      }
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
