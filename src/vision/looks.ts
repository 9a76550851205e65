import type { Size } from "../media/images.ts";
import type { Box } from "../records.ts";
import { iou } from "./boxes.ts";
import type { Detection } from "./detector.ts";

export const DETECT = ["whole", "tiles", "auto"] as const;
export type Detect = (typeof DETECT)[number];

/** Side of the detector's own input, pixels. */
const INPUT = 256;
/** The shortest side, in pixels of the input, of faces that BlazeFace finds (measured: 9 of 10 from 12 to 16 pixels on). */
const LEAST = 13;
/** Faces below this side in the whole frame's input are looked for closely, too; from {@link LARGE} on they never are. */
const SMALL = 20;
const LARGE = 32;
/** How much finer the close look may be: beyond, faces too large for it would still be too small for the whole frame's. */
const FINEST = 12;
/** A closer look at less than this gain is left out. */
const GAIN = 1.25;
/** Microseconds between close looks at all of a frame. */
const AGAIN = 250_000;

/** A part of a frame (whole pixels) that is looked at closely, and the pixels of input for each of its own. */
export interface Look {
  readonly part: Box;
  readonly scale: number;
}

interface Seen {
  readonly shot: number;
  readonly pts: number;
  readonly size: Size;
}

/**
 * Where each frame is looked at closely, beside the look at the whole of it. `tiles`: all of every frame. `auto`: all of it
 * while a shot begins and four times a second; else tiles around the small faces that the frames before had.
 *
 * Frames come in groups, in order: a group's looks follow from what was found in the groups before it.
 *
 * @param minSize shorter side, in pixels of the frame, of the smallest faces that are wanted.
 */
export function createLooks(detect: Detect, minSize: number) {
  let shot = -1;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let small: readonly Box[] = [];
  return {
    looks(frames: readonly Seen[]): Look[][] {
      return frames.map(({ size, ...frame }) => {
        const scale = closeScale(size, minSize);
        if (detect === "whole" || scale === null) return [];
        const all = [{ part: { x: 0, y: 0, ...size }, scale }];
        if (detect === "tiles") return all;
        if (frame.shot === shot && frame.pts - lookedAt < AGAIN)
          return tilesOver(small, size, scale).map((part) => ({ part, scale }));
        lookedAt = frame.pts;
        return all;
      });
    },
    /** @param found all that is a face, frame by frame of the last group. */
    found(frames: readonly Seen[], found: readonly (readonly Detection[])[]): void {
      shot = frames.at(-1)!.shot;
      small = frames.flatMap((frame, i) =>
        frame.shot === shot
          ? found[i]!.map(({ box }) => box).filter((box) => sideOf(box) * wholeScale(frame.size) < SMALL)
          : [],
      );
    },
  };
}

/** The scale at which faces of `minSize` are found; null where the look at the whole frame is about as fine. */
export function closeScale(frame: Size, minSize: number): number | null {
  const whole = wholeScale(frame);
  const scale = Math.min(1, LEAST / Math.max(1, minSize), FINEST * whole);
  return scale < GAIN * whole ? null : scale;
}

/**
 * Tiles of the detector's own input that hold all boxes, each with half a side of room; all of the frame in one where that
 * costs no more.
 */
export function tilesOver(boxes: readonly Box[], frame: Size, scale: number): Box[] {
  const side = Math.floor(INPUT / scale);
  const [width, height] = [Math.min(side, frame.width), Math.min(side, frame.height)];
  const tiles: Box[] = [];
  for (const box of boxes)
    if (!tiles.some((tile) => isInside(box, tile, frame, 0.5))) {
      const from = (middle: number, length: number, all: number) =>
        Math.min(all - length, Math.max(0, Math.round(middle - length / 2)));
      const x = from(box.x + box.width / 2, width, frame.width);
      const y = from(box.y + box.height / 2, height, frame.height);
      tiles.push({ x, y, width, height });
    }
  const all = frame.width * frame.height;
  return tiles.length * width * height >= all && tiles.length > 0
    ? [{ x: 0, y: 0, width: frame.width, height: frame.height }]
    : tiles;
}

/**
 * What was found in a part, without what its border cuts: another look sees that whole. The frame's own border cuts
 * nothing.
 */
export function uncut(detections: readonly Detection[], part: Box, frame: Size): Detection[] {
  return detections.filter(({ box }) => isInside(box, part, frame, 0.1));
}

/**
 * One detection a face, of those in the whole frame and those in close looks. Large faces are the whole frame's, small ones
 * the close looks'; two are one face where they overlap by more than .3 (IoU) or one lies by more than .7 in the other.
 *
 * @param sure score from which on a large face rules out what was found inside it.
 */
export function mergeLooks(
  whole: readonly Detection[],
  close: readonly Detection[],
  frame: Size,
  sure: number,
): Detection[] {
  if (close.length === 0) return [...whole];
  const scale = wholeScale(frame);
  const isLarge = ({ box, score }: Detection) => score >= sure && sideOf(box) * scale >= LARGE;
  const kept: Detection[] = [];
  for (const group of [whole.filter(isLarge), close, whole.filter((one) => !isLarge(one))])
    for (const one of [...group].sort((a, b) => b.score - a.score))
      if (!kept.some((other) => isSame(one.box, other.box))) kept.push(one);
  return kept.sort((a, b) => b.score - a.score);
}

function isSame(a: Box, b: Box): boolean {
  return iou(a, b) > 0.3 || shared(a, b) > 0.7 * Math.min(a.width * a.height, b.width * b.height);
}

function shared(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return Math.max(0, width) * Math.max(0, height);
}

/** Whether a box lies in a part with `room` of its sides around it, but for where the part ends with the frame. */
function isInside({ x, y, width, height }: Box, part: Box, frame: Size, room: number): boolean {
  return (
    (part.x <= 0 || x - room * width >= part.x) &&
    (part.y <= 0 || y - room * height >= part.y) &&
    (part.x + part.width >= frame.width || x + (1 + room) * width <= part.x + part.width) &&
    (part.y + part.height >= frame.height || y + (1 + room) * height <= part.y + part.height)
  );
}

function wholeScale({ width, height }: Size): number {
  return INPUT / Math.max(width, height);
}

function sideOf({ width, height }: Box): number {
  return Math.min(width, height);
}
