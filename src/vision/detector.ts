import type { Json } from "../digest.ts";
import type { Box, Image } from "../records.ts";
import type { Prepared } from "./prepared.ts";

/** One found face or body. */
export interface Detection {
  /** Pixels of the image it was found in; may reach outside it. */
  readonly box: Box;
  /** Confidence, 0..1. */
  readonly score: number;
  /** x0, y0, x1, y1, … in pixels of the image; null where the detector gives none. */
  readonly landmarks: Float32Array | null;
}

/**
 * Pixels → boxes. `prepare` and `infer` are apart so that a caller can resize the next images while the network works
 * on these. An image's detections never depend on the other images of the call.
 */
export interface Detector extends AsyncDisposable {
  readonly name: string;
  /** sha256 of the weights. */
  readonly digest: string;
  /** What executes it and why, for reports. */
  readonly engine: Json;
  /** The image as the network reads it, with the way back. */
  prepare(image: Image): Promise<Prepared>;
  /**
   * A part of the image at `scale` input pixels a pixel, for small faces: whole pixels inside the image. Detectors without
   * it look at whole images alone.
   */
  zoom?(image: Image, part: Box, scale: number): Promise<Prepared>;
  /** Detections of each image that score at least the `floor` it was opened with, best first. */
  infer(prepared: readonly Prepared[]): Promise<Detection[][]>;
}

/** Resizes and runs in one call. */
export async function detect(detector: Detector, images: readonly Image[]): Promise<Detection[][]> {
  return detector.infer(await Promise.all(images.map((image) => detector.prepare(image))));
}

/**
 * A detection from the network's input back to the image it was prepared from: centre, size and points in pixels of
 * the input.
 */
export function detectionAt(
  prepared: Prepared,
  score: number,
  [x, y, width, height]: readonly [x: number, y: number, width: number, height: number],
  points: ArrayLike<number> | null,
): Detection {
  const { scaleX, scaleY, dx, dy } = prepared;
  return {
    score,
    box: {
      x: (x - width / 2 - dx) / scaleX,
      y: (y - height / 2 - dy) / scaleY,
      width: width / scaleX,
      height: height / scaleY,
    },
    landmarks:
      points && Float32Array.from(points, (value, i) => (i % 2 === 0 ? (value - dx) / scaleX : (value - dy) / scaleY)),
  };
}
