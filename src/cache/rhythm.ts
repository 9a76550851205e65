/** A frame of a source, or a step of a track. */
export interface Moment {
  readonly index: number;
  /** Microseconds. */
  readonly pts: number;
}

/** Times between neighbours, µs, ascending; clocks that stand still or go back tell nothing. */
export function intervalsOf(moments: readonly Pick<Moment, "pts">[]): number[] {
  const times = moments.slice(1).map(({ pts }, i) => pts - moments[i]!.pts);
  return times.filter((time) => time > 0).sort((a, b) => a - b);
}

/**
 * The usual one of sorted intervals, µs; NaN of none. Nine of ten are no longer: where one frame in three is passed over to
 * come to a rate, or times vary by themselves, long ones are usual and nothing was lost. No camera is faster than a
 * millisecond.
 */
export function usualOf(sorted: readonly number[]): number {
  if (sorted.length === 0) return Number.NaN;
  return Math.max(MILLISECOND, sorted[Math.floor(0.9 * (sorted.length - 1))]!);
}

const MILLISECOND = 1000;

/**
 * The longest time between two faces of a track that are in one run, µs. Sampled coarsely, frames may lie further apart
 * than `gap`: a hole is one only from one and a half usual intervals on.
 *
 * @param gap µs
 */
export function limitOf(gap: number, usual: number): number {
  return Math.max(gap, usual * 1.5 || 0);
}

/**
 * The steps that a source lost between two neighbouring frames: where these lie `k` usual intervals apart, `k - 1`. They
 * have numbers where numbers run as fast as time, else -1.
 */
export function lostBetween(a: Moment, b: Moment, usual: number): Moment[] {
  const parts = Math.round((b.pts - a.pts) / usual);
  if (!(parts >= 2)) return [];
  const numbered = (b.index - a.index) % parts === 0;
  return Array.from({ length: parts - 1 }, (_, i) => ({
    index: numbered ? a.index + ((i + 1) * (b.index - a.index)) / parts : -1,
    pts: Math.round(a.pts + ((i + 1) * (b.pts - a.pts)) / parts),
  }));
}

/** NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return Number.isInteger(half) ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[Math.floor(half)]!;
}
