import type { Label, Latent } from "../records.ts";
import { intervalsOf, limitOf, lostBetween, type Moment, median, usualOf } from "./rhythm.ts";

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
 * A run ends before a hole of more than `gap` milliseconds (see {@link limitOf}), and at a shot change.
 *
 * @param rows in the order of the source; rows of track -1 say that there was a frame, and nothing else
 */
export function runsOf(rows: readonly CutRow[], gap: number): Run[] {
  const frames = framesOf(rows);
  const intervals = intervalsOf(frames);
  const usual = usualOf(intervals);
  const limit = limitOf(gap * 1000, usual);
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
    steps.push(...lostBetween(frames[at]!, frames[at + 1]!, usual).map(stepOf));
  }
  return steps;
}

function stepOf({ index, pts, label, place }: Moment & Partial<Pick<CutRow, "label" | "place">>): Step {
  return { index, pts, row: place?.row ?? -1, ...(label && { label }) };
}
