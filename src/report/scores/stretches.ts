/** Neighbouring scored rows of a track without a hole between them. */
export interface Stretch {
  /** Places of its first and last row. */
  readonly first: number;
  readonly last: number;
  /** The track's usual time from row to row, microseconds: how long its last row is taken to last. */
  readonly step: number;
}

/** Shorter holes are no holes, microseconds. */
const LEAST = 400_000;

/** The stretches of a track, by the times of its scored rows: a hole is longer than 0.4 s and than 2.5 usual steps. */
export function stretches(pts: ArrayLike<number>): Stretch[] {
  if (pts.length === 0) return [];
  const steps = Float64Array.from({ length: pts.length - 1 }, (_, i) => pts[i + 1]! - pts[i]!).sort();
  const step = steps[steps.length >> 1] ?? 40_000;
  const found: Stretch[] = [];
  let first = 0;
  for (let i = 1; i <= pts.length; i++)
    if (i === pts.length || pts[i]! - pts[i - 1]! > Math.max(LEAST, 2.5 * step)) {
      found.push({ first, last: i - 1, step });
      first = i;
    }
  return found;
}
