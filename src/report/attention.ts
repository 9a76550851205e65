import { metricsOf } from "../nn/metrics.ts";
import { type Random, seeded } from "../random.ts";
import type { AttentionCorrelation, AttentionWindow, Interval } from "./experiment.ts";

/** One step of attention: the weights that it gave, and how fast the frames of those states moved. */
export interface AttentionStep {
  /** Clips are what intervals are drawn from: steps of one clip are not independent. */
  readonly clip: string;
  /** ≥ 0, of sum 1. [states] */
  readonly weights: ArrayLike<number>;
  /** Of any unit, ≥ 0; NaN where not known. [states] */
  readonly speed: ArrayLike<number>;
}

/**
 * The steps `t` of a window. Padding and missing steps are neither steps nor states.
 *
 * @param speed of the window's steps, [n]
 */
export function* attentionSteps(
  clip: string,
  { at, weights }: AttentionWindow,
  speed: ArrayLike<number>,
): Generator<AttentionStep & { readonly t: number }> {
  for (let t = 1; t < at.length; t++) {
    const states = statesOf(at, t);
    if (at[t] === -1 || states.length === 0) continue;
    yield { clip, t, weights: states.map((i) => weights[t]![i]!), speed: states.map((i) => speed[i]!) };
  }
}

/**
 * Whether attention goes to what moves (the paper says so of Figure 4, and shows one clip). Every step gives Pearson's
 * correlation between its weights and the speeds; steps where it is undefined are left out and counted. Uniform weights
 * have no correlation at all, so two controls stand beside it: the same weights shuffled within their step, and the
 * speed that attention sees over the plain mean, which for uniform weights is 1.
 *
 * Intervals hold the middle 95 % of the means of `resamples` sets of clips, drawn with replacement.
 */
export function attentionCorrelation(
  steps: Iterable<AttentionStep>,
  { seed = 1, resamples = 1000 }: { readonly seed?: number; readonly resamples?: number } = {},
): AttentionCorrelation {
  const random = seeded(seed);
  const leftOut = { short: 0, constantWeights: 0, constantSpeed: 0, missing: 0 };
  const clips = new Map<string, ClipSums>();
  for (const { clip, weights, speed } of steps) {
    let sums = clips.get(clip);
    if (sums === undefined) {
      sums = { random: random.fork(clip), steps: 0, correlation: 0, shuffled: 0, seen: 0, plain: 0 };
      clips.set(clip, sums);
    }
    if (!Array.from(speed).every(Number.isFinite) || !Array.from(weights).every(Number.isFinite)) {
      leftOut.missing++;
      continue;
    }
    if (weights.length >= 2) {
      sums.seen += dot(weights, speed);
      sums.plain += meanOf(speed);
    }
    if (weights.length < 3) {
      leftOut.short++;
      continue;
    }
    const { cor, constant } = metricsOf(weights, speed);
    if (constant === "labels") leftOut.constantSpeed++;
    else if (constant !== null) leftOut.constantWeights++;
    else {
      sums.steps++;
      sums.correlation += cor;
      sums.shuffled += metricsOf(shuffled(weights, sums.random), speed).cor;
    }
  }
  const all = [...clips.values()];
  const counted = all.filter((clip) => clip.steps > 0);
  const perStep = (of: "correlation" | "shuffled") =>
    interval(
      counted,
      (clip) => clip[of],
      (clip) => clip.steps,
      random.fork(of),
      resamples,
    );
  return {
    correlation: perStep("correlation"),
    shuffled: perStep("shuffled"),
    gain: interval(
      all,
      (clip) => clip.seen,
      (clip) => clip.plain,
      random.fork("gain"),
      resamples,
    ),
    steps: counted.reduce((sum, clip) => sum + clip.steps, 0),
    clips: counted.length,
    leftOut,
  };
}

/**
 * |dy/dt| of a series, per second: the change since the frame before, or to the one after where there is none before.
 * NaN where neither is known.
 *
 * @param pts microseconds, rising
 */
export function speedOf(values: ArrayLike<number>, pts: ArrayLike<number>): Float64Array {
  return speeds(pts, (a, b) => Math.abs(values[b]! - values[a]!));
}

/**
 * How fast landmarks move against each other, in face sizes per second: mean distance that the points go, after the shift
 * of the whole face is taken away, over the points' root mean square distance from their centre.
 *
 * @param landmarks of each frame, x0, y0, x1, y1, … in any unit; null where there are none
 * @param pts microseconds, rising
 */
export function landmarkSpeed(landmarks: readonly (ArrayLike<number> | null)[], pts: ArrayLike<number>): Float64Array {
  const faces = landmarks.map((points) => (points === null || points.length < 4 ? null : centred(points)));
  return speeds(pts, (a, b) => {
    const [from, to] = [faces[a], faces[b]];
    if (!from || !to || from.points.length !== to.points.length) return Number.NaN;
    let sum = 0;
    for (let k = 0; k < from.points.length; k += 2)
      sum += Math.hypot(to.points[k]! - from.points[k]!, to.points[k + 1]! - from.points[k + 1]!);
    return sum / (from.points.length / 2) / ((from.size + to.size) / 2);
  });
}

/**
 * The last step's weights, as multiples of a uniform one's, so that windows of all lengths have one scale: 1 is uniform.
 * NaN for the last step itself, padding and missing steps. [n]
 */
export function lastStepWeights({ at, weights }: AttentionWindow): Float64Array {
  const last = at.findLastIndex((position) => position !== -1);
  const row = new Float64Array(at.length).fill(Number.NaN);
  const states = last < 0 ? [] : statesOf(at, last);
  for (const i of states) row[i] = weights[last]![i]! * states.length;
  return row;
}

/** Each weight of a window as a multiple of a uniform one; NaN above the diagonal, for padding and missing steps. [n][n] */
export function relativeWeights({ at, weights }: AttentionWindow): Float64Array[] {
  return at.map((position, t) => {
    const row = new Float64Array(at.length).fill(Number.NaN);
    if (position === -1) return row;
    const states = statesOf(at, t);
    for (const i of states) row[i] = weights[t]![i]! * states.length;
    return row;
  });
}

interface ClipSums {
  readonly random: Random;
  steps: number;
  correlation: number;
  shuffled: number;
  /** Sums over steps of the speed that attention sees, and of the plain mean. */
  seen: number;
  plain: number;
}

/** Steps before t that are there. */
function statesOf(at: readonly number[], t: number): number[] {
  const states: number[] = [];
  for (let i = 0; i < t; i++) if (at[i] !== -1) states.push(i);
  return states;
}

/** Σ part / Σ whole over clips. */
function interval<T>(
  clips: readonly T[],
  part: (clip: T) => number,
  whole: (clip: T) => number,
  random: Random,
  resamples: number,
): Interval {
  const ratio = (chosen: readonly T[]) => {
    let [above, below] = [0, 0];
    for (const clip of chosen) {
      above += part(clip);
      below += whole(clip);
    }
    return above / below;
  };
  const mean = ratio(clips);
  if (!Number.isFinite(mean)) return { mean: null, low: null, high: null };
  if (clips.length === 1) return { mean, low: null, high: null };
  const means = Array.from({ length: resamples }, () =>
    ratio(clips.map(() => clips[Math.floor(random.next() * clips.length)]!)),
  )
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const at = (share: number) => means[Math.round(share * (means.length - 1))] ?? null;
  return { mean, low: at(0.025), high: at(0.975) };
}

function speeds(pts: ArrayLike<number>, distance: (a: number, b: number) => number): Float64Array {
  const between = (a: number, b: number) => {
    if (a < 0 || b >= pts.length) return Number.NaN;
    return distance(a, b) / ((pts[b]! - pts[a]!) / 1e6);
  };
  return Float64Array.from(pts, (_, i) => {
    const before = between(i - 1, i);
    return Number.isNaN(before) ? between(i, i + 1) : before;
  });
}

function centred(points: ArrayLike<number>): { readonly points: number[]; readonly size: number } {
  const count = points.length / 2;
  const middle = [0, 0];
  for (let k = 0; k < points.length; k++) middle[k % 2]! += points[k]! / count;
  const moved = Array.from(points, (value, k) => value - middle[k % 2]!);
  return { points: moved, size: Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0) / count) };
}

/** Fisher–Yates, of a copy. */
function shuffled(values: ArrayLike<number>, random: Random): number[] {
  const copy = Array.from(values);
  for (let i = copy.length - 1; i > 0; i--) {
    const k = Math.floor(random.next() * (i + 1));
    [copy[i], copy[k]] = [copy[k]!, copy[i]!];
  }
  return copy;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
