import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { cropResize, letterbox, readImage, writePng } from "../../src/media/images.ts";
import type { Box, Image } from "../../src/records.ts";
import { hasMedia, media } from "../media.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "images-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function noise(width: number, height: number, seed = 1): Image {
  const data = new Uint8Array(width * height * 3);
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    data[i] = state >> 16;
  }
  return { width, height, data };
}

/** Values that change slowly, so that a blur by the reducing filter stays small against the tolerance. */
function waves(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++)
        data[(y * width + x) * 3 + c] = 128 + 60 * Math.sin(x / (43 + c)) + 60 * Math.cos(y / (51 - c));
  return { width, height, data };
}

/** The definition, pixel by pixel. */
function slow(image: Image, box: Box, width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  const at = (x: number, y: number, c: number): number =>
    image.data[
      (Math.min(image.height - 1, Math.max(0, y)) * image.width + Math.min(image.width - 1, Math.max(0, x))) * 3 + c
    ]!;
  for (let j = 0; j < height; j++)
    for (let i = 0; i < width; i++) {
      const cx = box.x + (i + 0.5) * (box.width / width);
      const cy = box.y + (j + 0.5) * (box.height / height);
      if (cx < 0 || cy < 0 || cx >= image.width || cy >= image.height) continue;
      const x = Math.floor(cx - 0.5);
      const y = Math.floor(cy - 0.5);
      const fx = cx - 0.5 - x;
      const fy = cy - 0.5 - y;
      for (let c = 0; c < 3; c++)
        data[(j * width + i) * 3 + c] = Math.round(
          (1 - fy) * ((1 - fx) * at(x, y, c) + fx * at(x + 1, y, c)) +
            fy * ((1 - fx) * at(x, y + 1, c) + fx * at(x + 1, y + 1, c)),
        );
    }
  return { width, height, data };
}

function worst(a: Image, b: Image): number {
  expect([a.width, a.height, a.data.length]).toEqual([b.width, b.height, b.data.length]);
  return a.data.reduce((most, value, k) => Math.max(most, Math.abs(value - b.data[k]!)), 0);
}

describe("cropResize", () => {
  it("equals the slow bilinear loop wherever it does not shrink by two", async () => {
    const part = fc.double({ min: -20, max: 40, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ x: part, y: part, zx: fc.double({ min: 0.2, max: 1.99, noNaN: true }) }),
        fc.record({ w: fc.integer({ min: 1, max: 23 }), h: fc.integer({ min: 1, max: 19 }) }),
        fc.double({ min: 0.2, max: 1.99, noNaN: true }),
        async ({ x, y, zx }, { w, h }, zy) => {
          const image = noise(31, 17);
          const box = { x, y, width: w * zx, height: h * zy };
          const got = await cropResize(image, box, { width: w, height: h });
          // One level: libvips truncates where the loop rounds.
          expect(worst(got, slow(image, box, w, h))).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("returns the pixels themselves when nothing is scaled", async () => {
    const image = noise(13, 7);
    const got = await cropResize(image, { x: 2, y: -1, width: 13, height: 5 }, { width: 13, height: 5 });
    expect(got).toEqual(slow(image, { x: 2, y: -1, width: 13, height: 5 }, 13, 5));
    const whole = await cropResize(image, { x: 0, y: 0, width: 13, height: 7 }, { width: 13, height: 7 });
    expect(whole).toEqual(image);
  });

  it.each([2, 2.5, 3.7, 8.1, 16])("keeps the geometry when it shrinks by %f", async (shrink) => {
    const image = waves(401, 307);
    const box = { x: 11.3, y: -40.6, width: 21 * shrink, height: 17 * shrink };
    const got = await cropResize(image, box, { width: 21, height: 17 });
    // Curvature of the waves under a triangle of ±16 pixels explains a few levels; half a reduced pixel of shift would give more.
    expect(worst(got, slow(image, box, 21, 17))).toBeLessThanOrEqual(shrink < 4 ? 3 : 10);
  });

  it("does not alias: a one-pixel checkerboard shrinks to grey", async () => {
    const image = noise(64, 64);
    for (let k = 0; k < 64 * 64; k++) image.data.fill(((k % 64) + Math.floor(k / 64)) % 2 ? 255 : 0, k * 3, k * 3 + 3);
    const got = await cropResize(image, { x: 8, y: 8, width: 48, height: 48 }, { width: 12, height: 12 });
    for (const value of got.data) expect(Math.abs(value - 127.5)).toBeLessThan(3);
  });

  it("gives black for a box beyond the image, and works on one pixel", async () => {
    const image = noise(1, 1);
    const beyond = await cropResize(image, { x: 5, y: 0, width: 2, height: 2 }, { width: 3, height: 2 });
    expect(beyond.data).toEqual(new Uint8Array(18));
    const grown = await cropResize(image, { x: 0, y: 0, width: 1, height: 1 }, { width: 2, height: 3 });
    for (let k = 0; k < 6; k++) expect(grown.data.subarray(k * 3, k * 3 + 3)).toEqual(image.data);
  });

  it("refuses a box or a size that has no area", async () => {
    const image = noise(4, 4);
    const size = { width: 2, height: 2 };
    await expect(cropResize(image, { x: 0, y: 0, width: 0, height: 2 }, size)).rejects.toThrow(PipeError);
    await expect(cropResize(image, { x: Number.NaN, y: 0, width: 1, height: 2 }, size)).rejects.toThrow(PipeError);
    await expect(cropResize(image, { x: 0, y: 0, width: 2, height: 2 }, { width: 0, height: 1 })).rejects.toThrow(
      PipeError,
    );
  });
});

describe("letterbox", () => {
  it("says where the frame went", async () => {
    const image = waves(64, 36);
    const { image: got, scale, dx, dy } = await letterbox(image, { width: 48, height: 48 });
    expect([scale, dx, dy]).toEqual([0.75, 0, 10.5]);
    expect(worst(got, slow(image, { x: 0, y: -14, width: 64, height: 64 }, 48, 48))).toBeLessThanOrEqual(3);
  });

  it("shows nothing beside a box, even where the image goes on", async () => {
    const image = waves(40, 40);
    image.data.forEach((value, k) => {
      image.data[k] = Math.max(1, value);
    });
    const box = { x: 10, y: 10, width: 20, height: 10 };
    const got = await cropResize(image, box, { width: 20, height: 20 }, { fit: "letterbox" });
    for (let y = 0; y < 20; y++) {
      const row = got.data.subarray(y * 60, y * 60 + 60);
      expect(row.every((value) => value === 0)).toBe(y < 5 || y >= 15);
    }
  });
});

describe("readImage and writePng", () => {
  it("round-trips and applies EXIF orientation", async () => {
    const image = noise(5, 3);
    await writePng(image, join(dir, "a.png"));
    expect(await readImage(join(dir, "a.png"))).toEqual(image);
    const turned = join(dir, "turned.png");
    await sharp(image.data, { raw: { width: 5, height: 3, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(turned);
    const upright = await readImage(turned);
    expect([upright.width, upright.height]).toEqual([3, 5]);
    // Orientation 6: turn clockwise, so the lower left pixel comes to the upper left.
    expect(upright.data.subarray(0, 3)).toEqual(image.data.subarray(2 * 15, 2 * 15 + 3));
  });

  it("turns grey, alpha and 16 bit into RGB bytes", async () => {
    for (const channels of [1, 2, 4] as const) {
      const path = join(dir, `${channels}.png`);
      await sharp(Buffer.alloc(6 * channels, 255), { raw: { width: 3, height: 2, channels } })
        .toColourspace("rgb16")
        .png()
        .toFile(path);
      expect(await readImage(path)).toEqual({ width: 3, height: 2, data: new Uint8Array(18).fill(255) });
    }
  });

  it("refuses what is absent, not a picture, or cut short", async () => {
    const text = join(dir, "text.jpg");
    writeFileSync(text, "not a picture");
    await expect(readImage(text)).rejects.toThrow(PipeError);
    await expect(readImage(join(dir, "absent.jpg"))).rejects.toThrow(PipeError);
    const whole = await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
      .composite([{ input: Buffer.from(noise(64, 64).data), raw: { width: 64, height: 64, channels: 3 } }])
      .jpeg()
      .toBuffer();
    const cut = join(dir, "cut.jpg");
    writeFileSync(cut, whole.subarray(0, whole.length / 2));
    await expect(readImage(cut)).rejects.toThrow(PipeError);
    expect(existsSync(cut)).toBe(true);
  });

  describe("damage", () => {
    const { width, height, data } = noise(96, 64, 5);
    const coded = () => sharp(data, { raw: { width, height, channels: 3 } });
    const read = async (bytes: Buffer) => {
      const path = join(dir, "damaged");
      writeFileSync(path, bytes);
      return readImage(path);
    };

    it("in a PNG is seen by its checksums, wherever it is", async () => {
      const whole = await coded().png({ adaptiveFiltering: true }).toBuffer();
      expect(Buffer.compare((await read(whole)).data, data)).toBe(0);
      const [first, last] = [whole.indexOf("IDAT") + 4, whole.lastIndexOf("IEND") - 8];
      for (let at = first; at < last; at += Math.ceil((last - first) / 40)) {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 0x10;
        await expect(read(bytes), `byte ${at} of ${whole.length}`).rejects.toThrow(/cannot be read as a picture/);
      }
      // The checksum itself.
      const bytes = Buffer.from(whole);
      bytes[last + 2]! ^= 1;
      await expect(read(bytes)).rejects.toThrow(PipeError);
    });

    it.each(["jpeg", "png", "webp", "tiff", "gif", "avif"] as const)(
      "a %s that is cut short is refused",
      async (kind) => {
        const whole = await coded().toFormat(kind).toBuffer();
        expect((await read(whole)).height).toBe(64);
        for (const share of [0.1, 0.5, 0.9])
          await expect(read(whole.subarray(0, whole.length * share)), `${share}`).rejects.toThrow(PipeError);
        await expect(read(Buffer.alloc(0))).rejects.toThrow(/the file is empty/);
      },
    );

    it("is not seen in bytes after the picture", async () => {
      const whole = await coded().png().toBuffer();
      expect((await read(Buffer.concat([whole, Buffer.from("more")]))).width).toBe(96);
    });
  });

  it.skipIf(!hasMedia)("refuses the truncated JPEG and reads the portrait", async () => {
    await expect(readImage(media("weird", "sharp_truncated.jpg"))).rejects.toThrow(/cannot be read as a picture/);
    const portrait = await readImage(media("images", "tfjs_portrait.jpg"));
    expect(portrait.data.length).toBe(portrait.width * portrait.height * 3);
  });
});
