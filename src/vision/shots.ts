import type { Box, Image } from "../records.ts";

export interface ShotOptions {
  /** A cut changes the picture more than this many times as much as neighbouring frames do. PySceneDetect's is 3. */
  readonly ratio: number;
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
/**
 * A cut changes thumbnails by more than this on average, 0..255, however still its neighbours are (PySceneDetect's
 * min_content_val): below it a person who comes or goes at once counts as one.
 */
const LEAST = 15;
/** So many changes before a cut say what is usual. */
const RECENT = 8;
const GRID = { columns: 32, rows: 18 };

/**
 * Shot boundaries by content difference: the mean absolute difference of pixels between smoothed, much reduced
 * frames (the pair-wise comparison of Zhang, Kankanhalli and Smoliar, Automatic Partitioning of Full-Motion Video, 1993,
 * §2.1), against what is usual around it (as PySceneDetect's AdaptiveDetector): a cut outdoes the median change of the
 * frames before it and of those after it, so that a cut of half the picture is found, and the start of a pan is none.
 * A flash, which is two such jumps, is told from a cut by looking ahead for the old picture (Zhang et al., §5).
 * Frames wait only while a jump is undecided; slow dissolves are no cuts.
 */
export function createShots<T extends Thumbnail>({ ratio, flash = 200_000 }: ShotOptions): Shots<T> {
  let shot = 0;
  let last: T | undefined;
  let undecided: T[] = [];
  /** Changes between the last frames of this shot, in order. */
  let changes: number[] = [];

  const settle = (frame: T) => {
    if (last !== undefined) changes = [...changes, difference(last, frame)].slice(-RECENT);
    last = frame;
    return { frame, shot };
  };
  const push = (frame: T): { frame: T; shot: number }[] => {
    const first = undecided[0];
    if (first && frame.pts - first.pts > flash) return [...decide(), ...push(frame)];
    if (last === undefined || difference(last, frame) <= Math.max(LEAST, ratio * median(changes))) {
      const settled = [...undecided, frame].map(settle);
      undecided = [];
      return settled;
    }
    undecided.push(frame);
    return undecided.length > LONGEST_WAIT ? decide() : [];
  };
  /** The first undecided frame opens a shot unless what follows changes as much; the others are judged anew against it. */
  const decide = (): { frame: T; shot: number }[] => {
    const [first, ...others] = undecided;
    const after = others.map((frame, i) => difference(undecided[i]!, frame));
    undecided = [];
    // A single change may be the next cut.
    if (after.length < 2 || difference(last!, first!) > ratio * median(after)) {
      shot += 1;
      last = undefined;
      changes = [];
    }
    return [settle(first!), ...others.flatMap(push)];
  };
  return {
    push,
    end() {
      const settled: { frame: T; shot: number }[] = [];
      while (undecided.length > 0) settled.push(...decide());
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

function median(values: readonly number[]): number {
  return values.length === 0 ? 0 : [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
