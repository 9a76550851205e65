import { PipeError } from "../errors.ts";
import type { LabelledFrame, LabelRange, Skip } from "./types.ts";

/** A labelled frame as a reader found it, before anything was checked. */
export interface RawFrame {
  /** The frame as its file calls it. */
  readonly name: string;
  readonly id: number;
  /** Native units; NaN where the file has no number. */
  readonly valence: number;
  readonly arousal: number;
  /** Null where there are none of use. */
  readonly landmarks: Float32Array | null;
  /** Why the frame cannot be used, whatever its labels are. */
  readonly unusable?: string;
}

/**
 * Checks the frames of one clip and puts them in order: what cannot be used becomes a skip. A frame without usable
 * landmarks takes those of the nearest frame that has them (the earlier of two as near), at most `reach` ids away.
 *
 * @param where the clip, for messages
 * @throws PipeError when a label is outside the declared range
 */
export function clipFrames(
  where: string,
  raw: readonly RawFrame[],
  { range, reach }: { range: LabelRange; reach: number },
): { frames: LabelledFrame[]; kept: RawFrame[]; skipped: Skip[] } {
  const frames: LabelledFrame[] = [];
  const kept: RawFrame[] = [];
  const skipped: Skip[] = [];
  const donors = raw.filter((frame) => frame.landmarks !== null && Number.isInteger(frame.id)).sort(byId);
  for (const same of sameId(raw)) {
    const [frame] = same as [RawFrame, ...RawFrame[]];
    const skip = (reason: string, count = 1): void => {
      skipped.push({ where: `${where}, frame ${frame.name}`, reason, frames: count });
    };
    for (const one of same) assertRange(where, one, range);
    if (!same.every((one) => Object.is(one.valence, frame.valence) && Object.is(one.arousal, frame.arousal))) {
      skip(`the frame is labelled ${same.length} times, differently`, same.length);
      continue;
    }
    if (same.length > 1) skip(`the frame is labelled ${same.length} times, alike; one label is kept`, same.length - 1);
    if (!Number.isInteger(frame.id) || frame.id < 0) skip("its name is not a frame number");
    else if (frame.unusable !== undefined) skip(frame.unusable);
    else if (!Number.isFinite(frame.valence)) skip("its valence is not a number");
    else if (!Number.isFinite(frame.arousal)) skip("its arousal is not a number");
    else {
      const donor = frame.landmarks !== null ? frame : nearest(donors, frame.id, reach);
      if (donor === undefined) skip("neither it nor a frame near it has usable landmarks");
      else {
        const { id, valence, arousal } = frame;
        const borrowed = donor === frame ? {} : { landmarksOf: donor.id };
        frames.push({ id, valence, arousal, landmarks: donor.landmarks!, ...borrowed });
        kept.push(frame);
      }
    }
  }
  return { frames, kept, skipped };
}

/** A note on how many frames have another's landmarks; none where each has its own. */
export function borrowedNote(clips: readonly { readonly frames: readonly LabelledFrame[] }[]): string[] {
  let borrowed = 0;
  let all = 0;
  for (const { frames } of clips) {
    all += frames.length;
    for (const frame of frames) if (frame.landmarksOf !== undefined) borrowed += 1;
  }
  return borrowed === 0 ? [] : [`${borrowed} of ${all} frames have the landmarks of a frame near them.`];
}

/**
 * Coordinates as landmarks of a frame, or null where they are of no use: another number of points, one that is no
 * finite number, or no extent along an axis (a tracker's zeros).
 *
 * @param values x0, y0, x1, y1, …
 */
export function usableLandmarks(values: readonly number[], points: number): Float32Array | null {
  if (values.length !== points * 2 || !values.every(Number.isFinite)) return null;
  const extent = (axis: 0 | 1): boolean => values.some((value, i) => i % 2 === axis && value !== values[axis]);
  return extent(0) && extent(1) ? Float32Array.from(values) : null;
}

function assertRange(where: string, frame: RawFrame, range: LabelRange): void {
  for (const dimension of ["valence", "arousal"] as const) {
    const value = frame[dimension];
    const [low, high] = range[dimension];
    if (value < low || value > high)
      throw new PipeError(
        `${where}, frame ${frame.name}: ${dimension} is ${value}, outside the declared range ${low}..${high}.`,
        { hint: "Declare the range that the labels were given in (option range), or mend the label." },
      );
  }
}

/** Frames by ascending id, those of one id together. Every frame is in one group. */
function sameId(raw: readonly RawFrame[]): RawFrame[][] {
  const groups: RawFrame[][] = [];
  const odd = raw.filter((frame) => !Number.isInteger(frame.id));
  for (const frame of raw.filter((frame) => Number.isInteger(frame.id)).sort(byId)) {
    const last = groups.at(-1);
    if (last?.[0]?.id === frame.id) last.push(frame);
    else groups.push([frame]);
  }
  return [...groups, ...odd.map((frame) => [frame])];
}

/** The frame of `sorted` whose id is nearest, by bisection. */
function nearest(sorted: readonly RawFrame[], id: number, reach: number): RawFrame | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [sorted[low - 1], sorted[low]];
  const gap = (frame: RawFrame | undefined): number => (frame === undefined ? Infinity : Math.abs(frame.id - id));
  const best = gap(before) <= gap(after) ? before : after;
  return gap(best) <= reach ? best : undefined;
}

const byId = (a: RawFrame, b: RawFrame): number => a.id - b.id;
