import { PipeError } from "../errors.ts";
import type { Image } from "../records.ts";
import type { Rational } from "./clock.ts";
import type { Size } from "./images.ts";

/**
 * One of the eight ways to lay a picture down: first swap x and y (if `swap`), then mirror left-right (`flipX`) and
 * upside down (`flipY`).
 */
export interface Orientation {
  readonly swap: boolean;
  readonly flipX: boolean;
  readonly flipY: boolean;
}

export const UPRIGHT: Orientation = { swap: false, flipX: false, flipY: false };

/**
 * The orientation that a display matrix asks for (ISO 14496-12, 8.2.2: nine numbers a b u c d v x y w that map (x, y) to
 * (a·x + c·y, b·x + d·y)), snapped to quarter turns: an angle between them goes to the nearest.
 */
export function orientationOf(matrix: readonly number[]): Orientation {
  const [a, b, , c, d] = matrix as [number, number, number, number, number];
  const swap = Math.abs(b) + Math.abs(c) > Math.abs(a) + Math.abs(d);
  return swap ? { swap, flipX: c < 0, flipY: b < 0 } : { swap, flipX: a < 0, flipY: d < 0 };
}

/** Clockwise quarter turns, after mirroring left-right where `mirrored`, that are the same as the orientation. */
export function turnsOf(o: Orientation): { rotation: 0 | 90 | 180 | 270; mirrored: boolean } {
  const mirrored = o.swap === (o.flipX === o.flipY);
  if (!o.swap) return { rotation: o.flipY ? 180 : 0, mirrored };
  return { rotation: o.flipX ? 90 : 270, mirrored };
}

/** Filters of ffmpeg that do what {@link turn} does. */
export function filtersOf(o: Orientation): string[] {
  return [...(o.swap ? ["transpose=cclock_flip"] : []), ...(o.flipX ? ["hflip"] : []), ...(o.flipY ? ["vflip"] : [])];
}

/**
 * Size with square pixels, before turning. The side that is too short for the sample aspect ratio grows, none shrinks:
 * 176 × 144 at 128:117 is 193 × 144. A ratio of 0 means unknown, i.e. square.
 */
export function squareSize(coded: Size, ratio: Rational): Size {
  const sar = ratio.num > 0 && ratio.den > 0 ? ratio.num / ratio.den : 1;
  return {
    width: Math.max(1, Math.round(sar > 1 ? coded.width * sar : coded.width)),
    height: Math.max(1, Math.round(sar < 1 ? coded.height / sar : coded.height)),
  };
}

/** Size after turning. */
export function turnedSize(size: Size, o: Orientation): Size {
  return o.swap ? { width: size.height, height: size.width } : size;
}

/** Copies `rows` of `stride` bytes, RGB, into `data`, all of which is written: an image that is turned as `o` says. */
export function turn(
  rows: Uint8Array,
  stride: number,
  size: Size,
  o: Orientation,
  data: Uint8Array = new Uint8Array(size.width * size.height * 3),
): Image {
  const { width, height } = size;
  const out = turnedSize(size, o);
  if (!o.swap && !o.flipX) {
    if (stride === width * 3 && !o.flipY) {
      data.set(rows.subarray(0, data.length));
      return { ...out, data };
    }
    for (let y = 0; y < height; y++)
      data.set(rows.subarray(y * stride, y * stride + width * 3), (o.flipY ? height - 1 - y : y) * width * 3);
    return { ...out, data };
  }
  // Steps in the result for one step right and one step down in the source; tiles keep both ends in the processor's cache.
  const right = o.swap ? (o.flipY ? -1 : 1) * out.width * 3 : o.flipX ? -3 : 3;
  const down = o.swap ? (o.flipX ? -3 : 3) : (o.flipY ? -1 : 1) * out.width * 3;
  const origin = ((o.flipY ? out.height - 1 : 0) * out.width + (o.flipX ? out.width - 1 : 0)) * 3;
  const tile = 32;
  for (let top = 0; top < height; top += tile)
    for (let left = 0; left < width; left += tile)
      for (let y = top; y < Math.min(height, top + tile); y++) {
        let from = y * stride + left * 3;
        let to = origin + y * down + left * right;
        for (const end = Math.min(width, left + tile) * 3 + y * stride; from < end; from += 3, to += right) {
          data[to] = rows[from]!;
          data[to + 1] = rows[from + 1]!;
          data[to + 2] = rows[from + 2]!;
        }
      }
  return { ...out, data };
}

/** @throws PipeError when coded or shown frames have no area or more than `maxPixels` pixels. */
export function checkSize(path: string, coded: Size, shown: Size, maxPixels: number): void {
  if (coded.width <= 0 || coded.height <= 0)
    throw new PipeError(`${path}: its video has no picture size; nothing in it can be decoded.`);
  const largest = coded.width * coded.height > maxPixels ? coded : shown;
  if (largest.width * largest.height > maxPixels)
    throw new PipeError(
      `${path}: its frames have ${largest.width} × ${largest.height} pixels; the limit is ${maxPixels} pixels.`,
      { hint: "Raise maxPixels if you trust the file." },
    );
}
