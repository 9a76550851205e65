import type { Box, Image } from "../records.ts";

export interface ShotOptions {
  /** Two frames belong to different shots when their thumbnails differ by more than this on average, 0..255. */
  readonly threshold: number;
  /** What looks like a cut but returns to the old picture within this time is a flash, microseconds. Default 0.2 s. */
  readonly flash?: number;
}

/** A small RGB picture of a frame; all thumbnails of a video have the same size. */
export interface Thumbnail {
  readonly pts: number;
  readonly data: Uint8Array;
}

export interface Shots<T extends Thumbnail> {
  /** Takes the next frame; gives, in order, those whose shot number (from 0) is now certain. */
  push(frame: T): { frame: T; shot: number }[];
  /** After the last frame: all that are left. */
  end(): { frame: T; shot: number }[];
}

/** A frame can wait for at most this many others, however close their timestamps are. */
const LONGEST_WAIT = 12;
const GRID = { columns: 32, rows: 18 };

/**
 * Shot boundaries by content difference: the mean absolute difference of pixels between smoothed, much reduced
 * frames (the pair-wise comparison of Zhang, Kankanhalli and Smoliar, Automatic Partitioning of Full-Motion Video, 1993,
 * §2.1). A flash, which is two such jumps, is told from a cut by looking ahead for the old picture (ibid., §5).
 * Frames wait only while a jump is undecided; slow dissolves are no cuts.
 */
export function createShots<T extends Thumbnail>({ threshold, flash = 200_000 }: ShotOptions): Shots<T> {
  let shot = 0;
  let last: T | undefined;
  let undecided: T[] = [];

  const settle = (frame: T) => {
    last = frame;
    return { frame, shot };
  };
  const push = (frame: T): { frame: T; shot: number }[] => {
    const first = undecided[0];
    if (first && frame.pts - first.pts > flash) return [...cut(), ...push(frame)];
    if (last === undefined || difference(last, frame) <= threshold) {
      const settled = [...undecided, frame].map(settle);
      undecided = [];
      return settled;
    }
    undecided.push(frame);
    return undecided.length > LONGEST_WAIT ? cut() : [];
  };
  /** The first undecided frame opens a shot; the others are judged anew against it. */
  const cut = (): { frame: T; shot: number }[] => {
    const [first, ...others] = undecided;
    undecided = [];
    shot += 1;
    return [settle(first!), ...others.flatMap(push)];
  };
  return {
    push,
    end() {
      const settled: { frame: T; shot: number }[] = [];
      while (undecided.length > 0) settled.push(...cut());
      return settled;
    },
  };
}

/** Of larger cells every second, third, … row and column is read: 64 pixels or more tell a mean well enough. */
const CELL = 8;

/**
 * The mean colours of a 32 × 18 grid laid over `box` (whole pixels) of an image, rounded, as RGB; where a cell is
 * thinner than a pixel it takes the nearest, where it is 16 pixels wide or more not all of them are read.
 */
export function thumbnail(image: Image, box: Box): Uint8Array {
  const { columns, rows } = GRID;
  const data = new Uint8Array(columns * rows * 3);
  const edge = (start: number, length: number, cells: number, k: number) => start + Math.floor((length * k) / cells);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const [left, top] = [edge(box.x, box.width, columns, column), edge(box.y, box.height, rows, row)];
      const right = Math.max(left + 1, edge(box.x, box.width, columns, column + 1));
      const bottom = Math.max(top + 1, edge(box.y, box.height, rows, row + 1));
      let [red, green, blue] = [0, 0, 0];
      const across = Math.max(1, Math.floor((right - left) / CELL));
      const down = Math.max(1, Math.floor((bottom - top) / CELL));
      for (let y = top; y < bottom; y += down)
        for (let i = (y * image.width + left) * 3; i < (y * image.width + right) * 3; i += 3 * across) {
          red += image.data[i]!;
          green += image.data[i + 1]!;
          blue += image.data[i + 2]!;
        }
      const area = Math.ceil((right - left) / across) * Math.ceil((bottom - top) / down);
      const at = (row * columns + column) * 3;
      data[at] = Math.round(red / area);
      data[at + 1] = Math.round(green / area);
      data[at + 2] = Math.round(blue / area);
    }
  return data;
}

/** Mean absolute difference of two pictures of equal size, 0..255. */
export function difference(a: Thumbnail, b: Thumbnail): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += Math.abs(a.data[i]! - b.data[i]!);
  return sum / a.data.length;
}
