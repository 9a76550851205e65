import fc from "fast-check";
import { expect, test } from "vitest";
import type { Image } from "../../src/records.ts";
import { fitInto } from "../../src/vision/prepared.ts";

/** Colours that change steadily across the image, so that a colour tells a place. */
function ramp(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set([(255 * x) / width, (255 * y) / height, 128], (y * width + x) * 3);
  return { width, height, data };
}

test("what is shown lies where the scales say, and black around it", async () => {
  const side = fc.integer({ min: 1, max: 90 });
  await fc.assert(
    fc.asyncProperty(side, side, side, side, async (width, height, w, h) => {
      const { input, scaleX, scaleY, dx, dy, shown } = await fitInto(ramp(width, height), { width: w, height: h });
      expect([input.width, input.height, input.data.length]).toEqual([w, h, w * h * 3]);
      expect(shown).toEqual({
        x: dx,
        y: dy,
        width: expect.closeTo(scaleX * width, 9),
        height: expect.closeTo(scaleY * height, 9),
      });
      const fit = Math.min(w / width, h / height);
      expect(Math.abs(shown.width - width * fit)).toBeLessThanOrEqual(1);
      expect(Math.abs(shown.height - height * fit)).toBeLessThanOrEqual(1);
      expect(Math.abs(dx - (w - shown.width) / 2)).toBeLessThanOrEqual(0.5);
      expect(Math.abs(dy - (h - shown.height) / 2)).toBeLessThanOrEqual(0.5);
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          const blue = input.data[(y * w + x) * 3 + 2];
          const inside = x >= dx && x < dx + shown.width && y >= dy && y < dy + shown.height;
          expect(blue).toBe(inside ? 128 : 0);
        }
    }),
    { numRuns: 40 },
  );
});

test("a place keeps its colour: pixel centres map by the scales", async () => {
  const image = ramp(300, 170);
  const { input, scaleX, scaleY, dx, dy } = await fitInto(image, { width: 120, height: 100 });
  for (const [x, y] of [
    [30, 20],
    [150, 85],
    [280, 160],
  ] as const) {
    const at = (Math.floor(y * scaleY + dy) * 120 + Math.floor(x * scaleX + dx)) * 3;
    const centre = {
      x: (Math.floor(x * scaleX + dx) + 0.5 - dx) / scaleX,
      y: (Math.floor(y * scaleY + dy) + 0.5 - dy) / scaleY,
    };
    expect(Math.abs(input.data[at]! - (255 * (centre.x - 0.5)) / 300)).toBeLessThan(2);
    expect(Math.abs(input.data[at + 1]! - (255 * (centre.y - 0.5)) / 170)).toBeLessThan(2);
  }
});
