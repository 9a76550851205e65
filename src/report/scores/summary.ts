import { QUADRANT_NAMES, type ScoreScale } from "./row.ts";
import type { Growing, TrackSeries, VideoSeries } from "./series.ts";

/** How one dimension is spread over some frames, in native units; null where the model does not say it. */
export interface Spread {
  readonly mean: number;
  /** With n in the denominator. */
  readonly sd: number;
  readonly min: number;
  readonly q05: number;
  readonly q25: number;
  readonly median: number;
  readonly q75: number;
  readonly q95: number;
  readonly max: number;
}

export interface TrackSummary {
  readonly track: number;
  readonly shot: number;
  /** Seconds, from the first to the last row. */
  readonly from: number;
  readonly to: number;
  /** Its rows, and those of them that were scored. */
  readonly rows: number;
  readonly scored: number;
  /** Of the raw scores. */
  readonly valence: Spread | null;
  readonly arousal: Spread | null;
  /** Share of the scored rows, by quadrant. */
  readonly quadrants: Readonly<Record<string, number>> | null;
  /** Means over the scored rows: pixels; variance of the Laplacian. */
  readonly faceSize: number | null;
  readonly blur: number | null;
}

export const SCORE_CLOCKS = ["shown", "container"] as const;
export type ScoreClock = (typeof SCORE_CLOCKS)[number];

/** `summary.json`. */
export interface ScoreSummary {
  readonly format: 1;
  readonly model: string;
  readonly scale: ScoreScale;
  /** What the model's weights have seen, in words. */
  readonly trainedOn: string;
  /** Why the figures are not to be relied on; null where nothing is known against them. */
  readonly caution: string | null;
  /** Standard deviation of the smoothing, milliseconds. */
  readonly smoothMs: number;
  /** What all times count from: the file's first frame, as players do, or the container's zero. */
  readonly clock: ScoreClock;
  readonly video: {
    readonly frames: number;
    readonly rows: number;
    /** From the first to the last frame. */
    readonly seconds: number;
    /** Share of the frames with a scored face; 0 where there are no frames. */
    readonly coverage: number;
    readonly valence: Spread | null;
    readonly arousal: Spread | null;
    readonly quadrants: Readonly<Record<string, number>> | null;
  };
  readonly shots: readonly { readonly shot: number; readonly from: number }[];
  readonly tracks: readonly TrackSummary[];
}

/** What says the scores. */
export type ScoreModel = Pick<ScoreSummary, "model" | "trainedOn" | "caution">;

/** Figures are of raw scores, one a row: smoothing changes none of them. Rounded to six digits after the point. */
export function summarise(
  series: VideoSeries,
  about: ScoreModel,
  smoothMs: number,
  clock: ScoreClock = "shown",
): ScoreSummary {
  const tracks = [...series.tracks.values()];
  const { frames, rows, covered, span, scale } = series;
  return {
    format: 1,
    model: about.model,
    scale,
    trainedOn: about.trainedOn,
    caution: about.caution,
    smoothMs,
    clock,
    video: {
      frames,
      rows,
      seconds: span === null ? 0 : seconds(span.to - span.from),
      coverage: frames === 0 ? 0 : rounded(covered / frames),
      valence: spreadOf(tracks.map(({ valence }) => valence)),
      arousal: spreadOf(tracks.map(({ arousal }) => arousal)),
      quadrants: sharesOf(tracks),
    },
    shots: series.shots.map(({ shot, pts }) => ({ shot, from: seconds(pts) })),
    tracks: tracks.map((track) => summaryOf(track)),
  };
}

function summaryOf(series: TrackSeries): TrackSummary {
  const { track, shot, span, rows, pts, valence, arousal, quality } = series;
  const scored = pts.length;
  return {
    track,
    shot,
    from: seconds(span.from),
    to: seconds(span.to),
    rows,
    scored,
    valence: spreadOf([valence]),
    arousal: spreadOf([arousal]),
    quadrants: sharesOf([series]),
    faceSize: scored === 0 ? null : rounded(quality.size / scored),
    blur: scored === 0 ? null : rounded(quality.blur / scored),
  };
}

function spreadOf(parts: readonly Growing[]): Spread | null {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let n = 0;
  for (const { values } of parts) for (const value of values) if (!Number.isNaN(value)) all[n++] = value;
  if (n === 0) return null;
  const sorted = all.subarray(0, n).sort();
  const mean = sorted.reduce((sum, x) => sum + x, 0) / n;
  const variance = sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n;
  const at = (share: number) => rounded(quantile(sorted, share));
  return {
    mean: rounded(mean),
    sd: rounded(Math.sqrt(variance)),
    min: at(0),
    q05: at(0.05),
    q25: at(0.25),
    median: at(0.5),
    q75: at(0.75),
    q95: at(0.95),
    max: at(1),
  };
}

/** Linear between the two nearest values (Hyndman and Fan, 1996, definition 7: the default of R and NumPy). */
function quantile(sorted: Float64Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const value = sorted[below]!;
  return value + (place - below) * ((sorted[below + 1] ?? value) - value);
}

function sharesOf(tracks: readonly TrackSeries[]): Record<string, number> | null {
  const counts = QUADRANT_NAMES.map((_, id) => tracks.reduce((sum, { quadrants }) => sum + quadrants[id]!, 0));
  const all = counts.reduce((sum, n) => sum + n, 0);
  if (all === 0) return null;
  return Object.fromEntries(QUADRANT_NAMES.map((name, id) => [name, rounded(counts[id]! / all)]));
}

const seconds = (micros: number): number => rounded(micros / 1e6);
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;
