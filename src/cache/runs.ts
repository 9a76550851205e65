import type { Label, Latent } from "../records.ts";

/** What cutting needs to know of a row; `place` is absent where no values were stored. */
export type CutRow = Pick<Latent, "index" | "pts" | "track" | "shot" | "label" | "place">;

/** One step of a track. `row` is -1 where it is missing; `index` is -1 where a missing step's number cannot be told. */
export interface Step {
  readonly index: number;
  /** Microseconds. */
  readonly pts: number;
  readonly row: number;
  readonly label?: Label;
}

/** Steps of one track without a long hole; the first and the last are not missing. */
export interface Run {
  readonly track: number;
  readonly steps: readonly Step[];
  /** Median time between two steps of the track, µs; that of the source where the track has one step; else NaN. */
  readonly interval: number;
}

/**
 * The runs of every track in the rows of one source, in order of first appearance. Frames inside a run in which the track
 * has no values are missing steps, and so are frames that the source itself lost: where two neighbouring frames lie `k`
 * usual intervals apart, `k - 1` steps are missing between them.
 *
 * A run ends before a hole of more than `gap` milliseconds, and at a shot change. Sampled coarsely, frames may lie further
 * apart than that: a hole is one only from one and a half usual intervals on.
 *
 * @param rows in the order of the source; rows of track -1 say that there was a frame, and nothing else
 */
export function runsOf(rows: readonly CutRow[], gap: number): Run[] {
  const frames = framesOf(rows);
  const intervals = intervalsOf(frames);
  const usual = usualOf(intervals);
  const limit = Math.max(gap * 1000, usual * 1.5 || 0);
  return [...tracksOf(rows, frames)].flatMap(([track, own]) => {
    const runs: Step[][] = [];
    let before: { readonly at: number; readonly row: CutRow } | undefined;
    for (const [at, row] of own) {
      if (row.place === undefined) continue;
      if (before && row.pts - before.row.pts <= limit && row.shot === before.row.shot)
        runs.at(-1)!.push(...missingBetween(before.at, at, frames, own, usual));
      else runs.push([]);
      runs.at(-1)!.push(stepOf(row));
      before = { at, row };
    }
    const within = runs.flatMap((steps) => intervalsOf(steps));
    const interval = median(within.length > 0 ? within : intervals);
    return runs.map((steps) => ({ track, steps, interval }));
  });
}

/** A frame of the source, whoever was seen in it. */
interface Moment {
  readonly index: number;
  readonly pts: number;
}

function framesOf(rows: readonly CutRow[]): Moment[] {
  const frames: Moment[] = [];
  for (const { index, pts } of rows) if (frames.at(-1)?.index !== index) frames.push({ index, pts });
  return frames;
}

/** The rows of each track by the position of their frame. */
type Sightings = ReadonlyMap<number, CutRow>;

function tracksOf(rows: readonly CutRow[], frames: readonly Moment[]): Map<number, Sightings> {
  const tracks = new Map<number, Map<number, CutRow>>();
  let at = 0;
  for (const row of rows) {
    if (frames[at]!.index !== row.index) at += 1;
    if (row.track < 0) continue;
    const own = tracks.get(row.track) ?? new Map<number, CutRow>();
    tracks.set(row.track, own.set(at, row));
  }
  return tracks;
}

/** The steps after frame `from` and before frame `to`. */
function missingBetween(from: number, to: number, frames: readonly Moment[], own: Sightings, usual: number): Step[] {
  const steps: Step[] = [];
  for (let at = from; at < to; at++) {
    // A row of the track that has no values may still have a label.
    if (at > from) steps.push(stepOf(own.get(at) ?? frames[at]!));
    steps.push(...lostBetween(frames[at]!, frames[at + 1]!, usual));
  }
  return steps;
}

/** Frames that the source lost between two neighbours; they have numbers where numbers run as fast as time. */
function lostBetween(a: Moment, b: Moment, usual: number): Step[] {
  const parts = Math.round((b.pts - a.pts) / usual);
  if (!(parts >= 2)) return [];
  const numbered = (b.index - a.index) % parts === 0;
  return Array.from({ length: parts - 1 }, (_, i) => ({
    index: numbered ? a.index + ((i + 1) * (b.index - a.index)) / parts : -1,
    pts: Math.round(a.pts + ((i + 1) * (b.pts - a.pts)) / parts),
    row: -1,
  }));
}

function stepOf({ index, pts, label, place }: Moment & Partial<Pick<CutRow, "label" | "place">>): Step {
  return { index, pts, row: place?.row ?? -1, ...(label && { label }) };
}

/** Times between neighbours, µs, ascending; clocks that stand still or go back tell nothing. */
function intervalsOf(moments: readonly Moment[]): number[] {
  const times = moments.slice(1).map(({ pts }, i) => pts - moments[i]!.pts);
  return times.filter((time) => time > 0).sort((a, b) => a - b);
}

/**
 * Nine of ten intervals are no longer: where one frame in three is passed over to come to a rate, or times vary by
 * themselves, long ones are usual and nothing was lost. No camera is faster than a millisecond.
 */
function usualOf(sorted: readonly number[]): number {
  if (sorted.length === 0) return Number.NaN;
  return Math.max(MILLISECOND, sorted[Math.floor(0.9 * (sorted.length - 1))]!);
}

const MILLISECOND = 1000;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[Math.floor(half)]!;
}
