import type { Size } from "../media/images.ts";
import type { Image } from "../records.ts";

/**
 * An image enlarged bilinearly along one axis or both, rounded once. The centre of output pixel i is at
 * (i + 0.5) · length / size − 0.5 of the centres of the image; places beyond the first and last centre take that pixel
 * (PyTorch's `interpolate(mode="bilinear", align_corners=False)`).
 *
 * @param size at least the image's own width and height; the image itself where both are equal.
 */
export function enlarge(image: Image, size: Size): Image {
  const { width, height } = size;
  if (width === image.width && height === image.height) return image;
  const columns = neighbours(image.width, width);
  const rows = neighbours(image.height, height);
  const data = new Uint8Array(width * height * 3);
  const stride = image.width * 3;
  // Neighbouring output rows share source rows: both rows that the next output row lies between are kept widened.
  const kept = [new Float32Array(width * 3), new Float32Array(width * 3)] as const;
  const holds = [-1, -1];
  const widened = (row: number): Float32Array => {
    const into = kept[row & 1]!;
    if (holds[row & 1] !== row) widen(image.data.subarray(row * stride, (row + 1) * stride), columns, into);
    holds[row & 1] = row;
    return into;
  };
  for (let y = 0; y < height; y++) {
    const weight = rows.weight[y]!;
    const upper = widened(rows.first[y]!);
    const lower = weight > 0 ? widened(rows.first[y]! + 1) : upper;
    const at = y * width * 3;
    for (let i = 0; i < width * 3; i++) data[at + i] = (upper[i]! + (lower[i]! - upper[i]!) * weight + 0.5) | 0;
  }
  return { width, height, data };
}

interface Neighbours {
  /** The pixel left of (above) each output pixel's centre. */
  readonly first: Int32Array;
  /** Share of the pixel after it, 0 ≤ weight < 1; 0 at the last pixel, which has none after it. */
  readonly weight: Float32Array;
}

function neighbours(length: number, size: number): Neighbours {
  const first = new Int32Array(size);
  const weight = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const place = Math.min(length - 1, Math.max(0, ((i + 0.5) * length) / size - 0.5));
    first[i] = Math.floor(place);
    weight[i] = place - first[i]!;
  }
  return { first, weight };
}

function widen(row: Uint8Array, { first, weight }: Neighbours, into: Float32Array): void {
  for (let x = 0, i = 0; x < first.length; x++) {
    const at = first[x]! * 3;
    const share = weight[x]!;
    // At the last pixel the share is 0, and what comes after it must not be read.
    const next = share > 0 ? at + 3 : at;
    into[i++] = row[at]! + (row[next]! - row[at]!) * share;
    into[i++] = row[at + 1]! + (row[next + 1]! - row[at + 1]!) * share;
    into[i++] = row[at + 2]! + (row[next + 2]! - row[at + 2]!) * share;
  }
}
