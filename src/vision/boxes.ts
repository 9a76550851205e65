import type { Box } from "../records.ts";

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Intersection over union, 0..1; 0 where a box has no area. */
export function iou(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/**
 * The crop of ANCLaF's data preparation: the integer bounding box of the landmarks, grown on each side by 1/8 of its
 * width and height, clipped to the frame. The published script uses 1/8 for 68 points, whose jaw line the box holds,
 * and 1/2.5 for 49 points, which lack it.
 *
 * @param landmarks x0, y0, x1, y1, … in pixels: 68 or 49 points.
 * @param frame size in pixels.
 * @returns whole pixels inside the frame, or null where none of it lies inside.
 */
export function anclafBox(landmarks: ArrayLike<number>, frame: Size): Box | null {
  const share = landmarks.length === 49 * 2 ? 1 / 2.5 : 1 / 8;
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (let i = 0; i + 1 < landmarks.length; i += 2) {
    const x = Math.trunc(landmarks[i]!);
    const y = Math.trunc(landmarks[i + 1]!);
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return grownBox({ x: left, y: top, width: right - left, height: bottom - top }, share, frame);
}

/**
 * A box grown on each side by `share` of its width and height, rounded to whole pixels and clipped to the frame;
 * null where nothing of it lies inside.
 */
export function grownBox(box: Box, share: number, frame: Size): Box | null {
  const left = Math.max(0, Math.floor(box.x - box.width * share));
  const top = Math.max(0, Math.floor(box.y - box.height * share));
  const right = Math.min(frame.width, Math.ceil(box.x + box.width * (1 + share)));
  const bottom = Math.min(frame.height, Math.ceil(box.y + box.height * (1 + share)));
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}
