import sharp from "sharp";
import type { Size } from "../media/images.ts";
import type { Box, Image } from "../records.ts";
import { enlarge } from "./enlarge.ts";

/**
 * A part of an image, whole pixels and inside it, resized without keeping its shape: bilinear, with the kernel widened
 * against aliasing where it shrinks (PyTorch's `interpolate(mode="bilinear", align_corners=False, antialias=True)`,
 * Pillow's BILINEAR). Pixel k covers [k, k + 1); beyond the box its edge pixels go on.
 *
 * Axes that shrink go through libvips' `linear` kernel, one pass and several times as fast as sampling at exact places.
 * Axes that grow do not: there libvips lays the picture half an output pixel too far right and down.
 */
export async function resample(image: Image, box: Box, size: Size): Promise<Image> {
  const width = Math.min(box.width, size.width);
  const height = Math.min(box.height, size.height);
  const small =
    width === box.width && height === box.height ? copied(image, box) : await shrunk(image, box, width, height);
  return enlarge(small, size);
}

async function shrunk(image: Image, box: Box, width: number, height: number): Promise<Image> {
  const { data, info } = await sharp(image.data, {
    raw: { width: image.width, height: image.height, channels: 3 },
    limitInputPixels: false,
  })
    .extract({ left: box.x, top: box.y, width: box.width, height: box.height })
    .resize(width, height, { fit: "fill", kernel: "linear" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

function copied(image: Image, { x, y, width, height }: Box): Image {
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const at = ((y + row) * image.width + x) * 3;
    data.set(image.data.subarray(at, at + width * 3), row * width * 3);
  }
  return { width, height, data };
}
