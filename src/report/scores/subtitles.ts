import type { ScoreScale } from "./row.ts";
import { middle } from "./row.ts";
import type { TrackSeries, VideoSeries } from "./series.ts";
import { stretches } from "./stretches.ts";

/** A level must last so long to be shown, microseconds. */
const HOLD = 500_000;
/** Share of half the scale around the middle that is neither the one nor the other. */
const NEUTRAL = 0.1;

/**
 * A video's scores as WebVTT: for each track a cue for every stretch of time in which its smoothed valence and arousal stay
 * on one level, with their means: `#0 V +0.31 A −0.12 pleased/calm`. A level that lasts less than half a second belongs
 * to the one before it. Nothing is shown where the face is missing. Times are the series'.
 *
 * @param caution why the scores are not to be relied on, if they are not: a note in the file, which players do not show, so
 * that each cue says "trial only"
 */
export function subtitles(series: VideoSeries, caution?: string): string {
  const cues = [...series.tracks.values()]
    .flatMap((track) => cuesOf(track, series.scale))
    .sort((a, b) => a.from - b.from || a.track - b.track);
  const mark = caution === undefined ? "" : " (trial only)";
  const shown = cues.map(({ from, to, text }) => `${clock(from)} --> ${clock(to)}\n${text}${mark}\n`);
  const note = caution === undefined ? "" : `NOTE ${caution.replaceAll("-->", "→")}\n\n`;
  return `WEBVTT\n\n${note}NOTE V valence, A arousal, smoothed; #: the face's track\n\n${shown.join("\n")}`;
}

interface Cue {
  readonly track: number;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function cuesOf(track: TrackSeries, scale: ScoreScale): Cue[] {
  const pts = track.pts.values;
  const [valence, arousal] = [track.valenceSmoothed.values, track.arousalSmoothed.values];
  const wordsAt = (i: number) => words(valence[i]!, arousal[i]!, scale);
  return stretches(pts).flatMap(({ first, last, step }) => {
    const runs: { first: number; words: string }[] = [];
    for (let i = first; i <= last; i++)
      if (wordsAt(i) !== runs.at(-1)?.words) runs.push({ first: i, words: wordsAt(i) });
    return steady(runs, pts, pts[last]! + step).map(({ first: start, words }, k, all) => {
      const next = all[k + 1]?.first;
      const [from, to] = [pts[start]!, next === undefined ? pts[last]! + step : pts[next]!];
      const mean = (values: ArrayLike<number>) => meanOf(values, start, next ?? last + 1);
      const figures = [figure("V", mean(valence), scale.valence), figure("A", mean(arousal), scale.arousal)];
      const text = [`#${track.track}`, ...figures, words].filter((part) => part !== "").join(" ");
      return { track: track.track, from, to, text };
    });
  });
}

/** Runs without those that are too short: each is given to the run before it, the first ones to the run after them. */
function steady(
  runs: readonly { first: number; words: string }[],
  pts: ArrayLike<number>,
  end: number,
): { first: number; words: string }[] {
  const kept: { first: number; words: string }[] = [];
  for (const [k, run] of runs.entries()) {
    const until = k + 1 < runs.length ? pts[runs[k + 1]!.first]! : end;
    const before = kept.at(-1);
    if (before?.words === run.words) continue;
    const short = until - pts[run.first]! < HOLD;
    if (!before) kept.push({ ...run });
    // What began the stretch was itself too short to stay.
    else if (kept.length === 1 && pts[run.first]! - pts[before.first]! < HOLD) before.words = run.words;
    else if (!short) kept.push({ ...run });
  }
  return kept;
}

/** E.g. "pleased/calm"; one word where both are the same, none where the model says neither. */
export function words(valence: number, arousal: number, scale: ScoreScale): string {
  const said = [
    level(valence, scale.valence, "pleased", "displeased"),
    level(arousal, scale.arousal, "excited", "calm"),
  ].filter((word) => word !== "");
  return [...new Set(said)].join("/");
}

function level(value: number, [low, high]: readonly [number, number], above: string, below: string): string {
  if (Number.isNaN(value)) return "";
  const share = (value - middle([low, high])) / ((high - low) / 2);
  return Math.abs(share) < NEUTRAL ? "neutral" : share > 0 ? above : below;
}

function figure(name: string, value: number, scale: readonly [number, number]): string {
  return Number.isNaN(value) ? "" : `${name} ${signed(value, scale)}`;
}

/** With a sign where the scale has one, and as many digits as its length gives sense to. */
export function signed(value: number, [low, high]: readonly [number, number]): string {
  const text = Math.abs(value).toFixed(high - low > 4 ? 1 : 2);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : low < 0 ? `+${text}` : text;
}

function meanOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]!;
  return sum / (to - from);
}

/** hh:mm:ss.mmm */
function clock(micros: number): string {
  const all = Math.max(0, Math.round(micros / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [seconds, minutes, hours] = [Math.floor(all / 1000), Math.floor(all / 60_000), Math.floor(all / 3_600_000)];
  return `${two(hours)}:${two(minutes % 60)}:${two(seconds % 60)}.${String(all % 1000).padStart(3, "0")}`;
}
