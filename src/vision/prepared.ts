import type { Size } from "../media/images.ts";
import type { Box, Image } from "../records.ts";
import { resample } from "./resample.ts";

/**
 * An image as a network reads it, with the way back: a point (x, y) of the image is at (x · scaleX + dx, y · scaleY + dy)
 * of the input. Pixel k covers [k, k + 1).
 */
export interface Prepared {
  readonly input: Image;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly dx: number;
  readonly dy: number;
  /** Where in the input the image is shown; the rest is black. Whole pixels. */
  readonly shown: Box;
}

/**
 * Letterboxes a whole image: scaled to fit, reduced with a triangle filter against aliasing, centred on black. What is
 * shown has whole pixels, so the two scales may differ by half a pixel of the input; that makes it one pass of libvips,
 * three times as fast as sampling at exact places, and the boxes found are put back with the scales that were used.
 */
export async function fitInto(image: Image, size: Size): Promise<Prepared> {
  const { width, height } = scaled(image, Math.min(size.width / image.width, size.height / image.height));
  const dx = Math.floor((size.width - width) / 2);
  const dy = Math.floor((size.height - height) / 2);
  return laid(image, size, { x: dx, y: dy, width, height });
}

/**
 * A whole image in the upper left corner of black, times `scale`; default: as large as fits. Whole pixels are shown, as
 * in {@link fitInto}.
 */
export async function fitIntoCorner(image: Image, size: Size, scale?: number): Promise<Prepared> {
  const fit = scale ?? Math.min(size.width / image.width, size.height / image.height);
  return laid(image, size, { x: 0, y: 0, ...scaled(image, fit) });
}

/** Whole pixels, at least one. */
export function scaled({ width, height }: Size, scale: number): Size {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

async function laid(image: Image, size: Size, shown: Box): Promise<Prepared> {
  const { x: dx, y: dy, width, height } = shown;
  const pixels = await resample(image, { x: 0, y: 0, width: image.width, height: image.height }, { width, height });
  const data = new Uint8Array(size.width * size.height * 3);
  for (let y = 0; y < height; y++)
    data.set(pixels.data.subarray(y * width * 3, (y + 1) * width * 3), ((y + dy) * size.width + dx) * 3);
  return {
    input: { width: size.width, height: size.height, data },
    scaleX: width / image.width,
    scaleY: height / image.height,
    dx,
    dy,
    shown,
  };
}

/** Side that inputs of any size are a multiple of: few sizes, so few graphs. */
const WHOLE = 64;

/** A part of an image (whole pixels inside it) at `scale`, in the top left corner; black to the right and below, to whole 64 pixels. */
export async function zoomInto(image: Image, part: Box, scale: number): Promise<Prepared> {
  const width = Math.max(1, Math.round(part.width * scale));
  const height = Math.max(1, Math.round(part.height * scale));
  const pixels = await resample(image, part, { width, height });
  const columns = Math.ceil(width / WHOLE) * WHOLE;
  const rows = Math.ceil(height / WHOLE) * WHOLE;
  const data = new Uint8Array(columns * rows * 3);
  for (let y = 0; y < height; y++) data.set(pixels.data.subarray(y * width * 3, (y + 1) * width * 3), y * columns * 3);
  const [scaleX, scaleY] = [width / part.width, height / part.height];
  return {
    input: { width: columns, height: rows, data },
    scaleX,
    scaleY,
    dx: -part.x * scaleX,
    dy: -part.y * scaleY,
    shown: { x: 0, y: 0, width, height },
  };
}
