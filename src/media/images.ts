import sharp, { type Sharp } from "sharp";
import { PipeError } from "../errors.ts";
import type { Box, Image } from "../records.ts";
import { openRegular } from "./open.ts";
import { missingBytes } from "./structure.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where a letterboxed frame lies: a point (x, y) of the frame is at (x · scale + dx, y · scale + dy) of the result. */
export interface Letterbox {
  readonly image: Image;
  readonly scale: number;
  readonly dx: number;
  readonly dy: number;
}

/**
 * Cuts `box` out of `image` and samples it to `size`, bilinearly.
 *
 * Geometry: pixel k covers [k, k + 1) and has its centre at k + 0.5. With `fill`, the centre of output pixel (i, j) lies at
 * (box.x + (i + 0.5) · box.width / size.width, box.y + (j + 0.5) · box.height / size.height) of the image; no part of the box is
 * rounded. With `letterbox` the box keeps its shape: it is scaled to fit and centred, and what shows beside it is black.
 *
 * A centre outside the image (the box may reach beyond it) gives black; a centre inside takes its four neighbours, those beyond
 * the edge replaced by the edge's pixels. Against aliasing, a box that shrinks by two or more along an axis is first
 * reduced along that axis by the whole number floor(shrink) with a triangle filter (libvips), then sampled bilinearly.
 *
 * @throws PipeError when a side of the box or of the size is not a positive, finite number.
 */
export async function cropResize(
  image: Image,
  box: Box,
  size: Size,
  options: { readonly fit?: "fill" | "letterbox" } = {},
): Promise<Image> {
  const { width, height } = size;
  if (![box.x, box.y].every(Number.isFinite) || ![box.width, box.height].every(isPositive))
    throw new PipeError(
      `A box of ${box.width} × ${box.height} pixels at (${box.x}, ${box.y}) cannot be cut out of an image.`,
    );
  if (![width, height].every((side) => Number.isInteger(side) && side > 0))
    throw new PipeError(`An image cannot be resized to ${width} × ${height} pixels.`);
  if (options.fit === "letterbox") {
    const { scale, dx, dy } = fitInto(box, size);
    const outer = { x: box.x - dx / scale, y: box.y - dy / scale, width: width / scale, height: height / scale };
    return keepOnly(await cropResize(image, outer, size), {
      x: dx,
      y: dy,
      width: width - 2 * dx,
      height: height - 2 * dy,
    });
  }
  const h = axis(box.x, box.width, width, image.width);
  const v = axis(box.y, box.height, height, image.height);
  if (h.from >= h.to || v.from >= v.to) return { width, height, data: new Uint8Array(width * height * 3) };

  const cut = take(image, h, v);
  const { data, info } = await raw(cut)
    .resize(cut.width / h.shrink, cut.height / v.shrink, { fit: "fill", kernel: "linear" })
    .affine(
      [
        [h.scale, 0],
        [0, v.scale],
      ],
      { interpolator: "bilinear", odx: h.offset, ody: v.offset, background: "black" },
    )
    .raw()
    .toBuffer({ resolveWithObject: true });

  const out = new Uint8Array(width * height * 3);
  for (let y = v.from; y < v.to; y++) {
    const row = (y - v.from) * info.width * 3;
    out.set(data.subarray(row, row + (h.to - h.from) * 3), (y * width + h.from) * 3);
  }
  return { width, height, data: out };
}

/** The whole image scaled to fit into `size` and centred on black, as detectors want it. Sampling as in {@link cropResize}. */
export async function letterbox(image: Image, size: Size): Promise<Letterbox> {
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  return { image: await cropResize(image, whole, size, { fit: "letterbox" }), ...fitInto(whole, size) };
}

/**
 * Reads a picture file as upright RGB: EXIF orientation applied, colours brought to sRGB, transparency laid over black.
 *
 * @throws PipeError when the file is absent, not a picture, cut short, or damaged as far as its format can show it: a checksum
 * of PNG that is wrong, codes of JPEG that are none. libvips would fill such parts with other pixels.
 */
export async function readImage(path: string): Promise<Image> {
  try {
    const { handle, bytes } = await openRegular(path);
    // A WebP that is cut short is filled with grey, without a warning.
    const missing = await missingBytes(handle, bytes).finally(() => handle.close());
    if (missing > 0) throw new Error(`the file ends ${missing} bytes early`);
    const { data, info } = await sharp(path, { failOn: "warning" })
      .autoOrient()
      .flatten({ background: "black" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: bytesOf(data) };
  } catch (error) {
    if (error instanceof PipeError) throw error;
    throw new PipeError(`${path}: cannot be read as a picture: ${(error as Error).message.split("\n")[0]}`, {
      hint: "Is the file whole and undamaged, and one of JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG? Copy it again.",
      cause: error,
    });
  }
}

/** Writes the image as PNG, without loss. */
export async function writePng(image: Image, path: string): Promise<void> {
  await raw(image).png().toFile(path);
}

/** The image as JPEG of `side` × `side` pixels, for pages that show it small. */
export async function thumbnailJpeg(image: Image, side: number): Promise<Uint8Array> {
  return raw(image).resize(side, side, { fit: "fill" }).jpeg({ quality: 72 }).toBuffer();
}

interface Axis {
  /** Output pixels [from, to) have their centre inside the image. */
  readonly from: number;
  readonly to: number;
  /** First source pixel needed, and how many; both may lie beyond the image. */
  readonly start: number;
  readonly length: number;
  /** Whole factor to reduce by first, then the scale that is left, then the shift in output pixels. */
  readonly shrink: number;
  readonly scale: number;
  readonly offset: number;
}

/** The sampling along one axis. libvips maps output pixel k to source pixel (k − offset) / scale, centres at whole numbers. */
function axis(start: number, extent: number, outputs: number, pixels: number): Axis {
  const step = extent / outputs;
  const centre = (k: number): number => start + (k + 0.5) * step;
  let from = Math.min(outputs, Math.max(0, Math.ceil(-start / step - 0.5)));
  let to = Math.max(0, Math.min(outputs, Math.ceil((pixels - start) / step - 0.5)));
  // The divisions above round; the definition is in terms of centres.
  while (from > 0 && centre(from - 1) >= 0) from--;
  while (from < outputs && centre(from) < 0) from++;
  while (to < outputs && centre(to) < pixels) to++;
  while (to > 0 && centre(to - 1) >= pixels) to--;

  const shrink = Math.max(1, Math.floor(step));
  // Two reduced pixels of margin: one for the bilinear neighbours, one for the triangle filter's reach.
  const first = Math.floor(centre(from)) - 2 * shrink - 1;
  const last = Math.ceil(centre(Math.max(from, to - 1))) + 2 * shrink + 1;
  const scale = shrink / step;
  const blocks = Math.max(Math.ceil((last - first) / shrink), Math.ceil((to - from + 2) / scale));
  const origin = (centre(from) - first) / shrink - 0.5;
  return { from, to, start: first, length: blocks * shrink, shrink, scale, offset: -origin * scale };
}

/** The pixels that both axes need, those beyond the image filled with its edge. */
function take(image: Image, h: Axis, v: Axis): Image {
  const { width, height } = image;
  const data = new Uint8Array(h.length * v.length * 3);
  const left = Math.max(0, -h.start);
  const right = Math.min(h.length, width - h.start);
  for (let y = 0; y < v.length; y++) {
    const source = Math.min(height - 1, Math.max(0, v.start + y)) * width * 3;
    const row = data.subarray(y * h.length * 3, (y + 1) * h.length * 3);
    row.set(image.data.subarray(source + (h.start + left) * 3, source + (h.start + right) * 3), left * 3);
    for (let x = 0; x < left; x++) row.set(image.data.subarray(source, source + 3), x * 3);
    const edge = source + (width - 1) * 3;
    for (let x = right; x < h.length; x++) row.set(image.data.subarray(edge, edge + 3), x * 3);
  }
  return { width: h.length, height: v.length, data };
}

function fitInto(box: Size, size: Size): { scale: number; dx: number; dy: number } {
  const scale = Math.min(size.width / box.width, size.height / box.height);
  return { scale, dx: (size.width - box.width * scale) / 2, dy: (size.height - box.height * scale) / 2 };
}

/** Blacks out, in place, the pixels whose centre is outside `box`. */
function keepOnly(image: Image, box: Box): Image {
  const { width, height, data } = image;
  const inside = (k: number, start: number, extent: number): boolean =>
    k + 0.5 >= start - 1e-9 && k + 0.5 < start + extent + 1e-9;
  for (let y = 0; y < height; y++) {
    if (!inside(y, box.y, box.height)) data.fill(0, y * width * 3, (y + 1) * width * 3);
    else
      for (let x = 0; x < width; x++)
        if (!inside(x, box.x, box.width)) data.fill(0, (y * width + x) * 3, (y * width + x) * 3 + 3);
  }
  return image;
}

function raw(image: Image): Sharp {
  const { data, width, height } = image;
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
}

function bytesOf(data: Buffer): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}
