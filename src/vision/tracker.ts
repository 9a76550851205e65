import type { Box } from "../records.ts";
import { assign } from "./assign.ts";
import { iou } from "./boxes.ts";
import type { Detection } from "./detector.ts";
import { type Motion, motion } from "./kalman.ts";

export interface TrackerOptions {
  /** Only detections with at least this score start a track; weaker ones may continue one. */
  readonly startScore: number;
  /** A track that was not seen for longer than this ends, microseconds. Default 1 s. */
  readonly maxGap?: number;
}

export interface Tracker {
  /**
   * The track id of each detection of the frame at `pts` (microseconds, not decreasing), -1 where it has none.
   * The order of the detections has no influence on their ids.
   */
  update(detections: readonly Detection[], pts: number): number[];
  /** A new shot: every track ends, and ids go on counting. */
  cut(): void;
}

/**
 * ByteTrack (Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, 2022, Algorithm 1):
 * strong detections are paired with the predicted boxes of all tracks, then weak ones with the tracks left over, both by
 * IoU and the Hungarian method; strong detections left over start tracks. Prediction by the Kalman filter of SORT
 * (Bewley et al., 2016) on centre, aspect ratio and height, with the noises of DeepSORT (Wojke et al., 2017).
 *
 * Two departures: time is the frames' own pts, so that irregular timestamps are predicted rightly; and a track counts
 * from its first detection instead of its second, since each frame's row is given once. Tracks that start in the same
 * frame are numbered from the largest box down.
 */
export function createTracker({ startScore, maxGap = 1_000_000 }: TrackerOptions): Tracker {
  let tracks: Track[] = [];
  let nextId = 0;
  let now = Number.NEGATIVE_INFINITY;
  return {
    cut() {
      tracks = [];
    },
    update(detections, pts) {
      const elapsed = Number.isFinite(now) ? Math.max(0, pts - now) / FRAME : 0;
      const previous = now;
      now = pts;
      tracks = tracks.filter(({ seen }) => pts - seen <= maxGap).map((track) => predicted(track, elapsed, previous));

      const ids = detections.map(() => -1);
      const order = detections.map((_, i) => i).sort((a, b) => bySize(detections[a]!, detections[b]!));
      const strong = order.filter((i) => detections[i]!.score >= startScore);
      const weak = order.filter((i) => detections[i]!.score < startScore);
      const pair = (candidates: readonly Track[], among: readonly number[], leastIou: number): void => {
        const costs = candidates.map((track) => among.map((i) => 1 - iou(boxOf(track), detections[i]!.box)));
        for (const [row, column] of assign(costs, 1 - leastIou)) {
          const [track, i] = [candidates[row]!, among[column]!];
          ids[i] = track.id;
          tracks = tracks.map((other) => (other === track ? corrected(track, detections[i]!.box, pts) : other));
        }
      };
      pair(tracks, strong, 0.2);
      const left = tracks.filter(({ id, seen }) => !ids.includes(id) && seen === previous);
      pair(left, weak, 0.5);
      for (const i of strong)
        if (ids[i] === -1) {
          ids[i] = nextId;
          tracks.push(started(nextId++, detections[i]!.box, pts));
        }
      return ids;
    },
  };
}

/** Microseconds of one frame at 30/s: DeepSORT's noises are meant for a step of this length. */
const FRAME = 1e6 / 30;
/** DeepSORT's standard deviations: shares of the height for places and rates; absolute for the aspect ratio. */
const PLACE = 1 / 20;
const RATE = 1 / 160;
const ASPECT = { place: 1e-2, rate: 1e-5, measured: 1e-1 };

interface Track {
  readonly id: number;
  /** pts of the last detection. */
  readonly seen: number;
  readonly x: Motion;
  readonly y: Motion;
  readonly aspect: Motion;
  readonly height: Motion;
}

function started(id: number, box: Box, seen: number): Track {
  const { x, y, aspect, height } = measured(box);
  const length = (value: number) => motion.start(value, 2 * PLACE * height, 10 * RATE * height);
  return {
    id,
    seen,
    x: length(x),
    y: length(y),
    aspect: motion.start(aspect, ASPECT.place, ASPECT.rate),
    height: length(height),
  };
}

function predicted(track: Track, frames: number, previous: number): Track {
  const h = Math.max(1, track.height.x);
  // As in ByteTrack: a track that is out of sight keeps moving but neither grows nor shrinks.
  const height = track.seen === previous ? track.height : { ...track.height, v: 0 };
  const length = (value: Motion) => motion.predict(value, frames, PLACE * h, RATE * h);
  return {
    ...track,
    x: length(track.x),
    y: length(track.y),
    aspect: motion.predict(track.aspect, frames, ASPECT.place, ASPECT.rate),
    height: length(height),
  };
}

function corrected(track: Track, box: Box, seen: number): Track {
  const { x, y, aspect, height } = measured(box);
  const deviation = PLACE * Math.max(1, track.height.x);
  return {
    id: track.id,
    seen,
    x: motion.correct(track.x, x, deviation),
    y: motion.correct(track.y, y, deviation),
    aspect: motion.correct(track.aspect, aspect, ASPECT.measured),
    height: motion.correct(track.height, height, deviation),
  };
}

function measured({ x, y, width, height }: Box): { x: number; y: number; aspect: number; height: number } {
  return { x: x + width / 2, y: y + height / 2, aspect: width / height, height };
}

function boxOf({ x, y, aspect, height }: Track): Box {
  const [h, w] = [Math.max(0, height.x), Math.max(0, aspect.x * height.x)];
  return { x: x.x - w / 2, y: y.x - h / 2, width: w, height: h };
}

/** A total order that does not depend on where a detection stands in its list. */
function bySize(a: Detection, b: Detection): number {
  return (
    b.box.width * b.box.height - a.box.width * a.box.height ||
    b.score - a.score ||
    a.box.x - b.box.x ||
    a.box.y - b.box.y
  );
}
