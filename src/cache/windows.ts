import type { FoldedClip, Window } from "../records.ts";
import { median } from "./rhythm.ts";
import { type CutRow, type Run, runsOf, type Step } from "./runs.ts";

/** Whose rows are cut. */
export interface WindowSource {
  readonly source: string;
  readonly clip: FoldedClip | null;
  /** Absolute path of the cache entry. */
  readonly folder: string;
  /** Shape of one row's values. */
  readonly shape: readonly number[];
}

export interface WindowsOptions {
  /** How long windows are, in steps or in milliseconds; of several lengths all windows are given, one length after the other. */
  readonly lengths: { readonly n: readonly number[] } | { readonly milliseconds: readonly number[] };
  /** Milliseconds that may be missing inside a window. */
  readonly gap: number;
  /** Steps from one window's start to the next one's; default: its length. No longer than the shortest window. */
  readonly stride?: number;
  /** A window for every step, that ends there: all steps but the last are history. */
  readonly sliding?: boolean;
}

/**
 * Cuts the rows of one source into windows of `n` steps of one track. Every step of a run is scored exactly once for each
 * length, at `fresh` to `length - 1` of one window: what is left at the end of a run goes into a last window that reaches
 * back over steps that were scored before, and a run shorter than `n` gives one padded window. (ANCLaF's published code
 * drops both, so that its results for different n are of different frames.)
 *
 * Windows cross neither tracks nor shots nor gaps: see {@link runsOf}.
 */
export function* windowsOf(
  rows: readonly CutRow[],
  of: WindowSource,
  { lengths, gap, stride, sliding }: WindowsOptions,
): Generator<Window, void, void> {
  const runs = runsOf(rows, gap);
  const asked = "n" in lengths ? lengths.n : lengths.milliseconds;
  for (const length of asked)
    for (const run of runs) {
      const n = "n" in lengths ? length : stepsIn(length, run);
      const spans = sliding ? slides(run.steps.length, n) : chunks(run.steps.length, n, Math.min(stride ?? n, n));
      for (const span of spans) yield windowOf(run, span, n, of);
    }
}

/**
 * Median time between neighbouring steps of windows, µs; NaN where none has two.
 */
export function intervalOf(windows: Iterable<Pick<Window, "pts" | "length">>): number {
  const times: number[] = [];
  for (const { pts, length } of windows)
    for (let i = 1; i < length; i++) if (pts[i]! > pts[i - 1]!) times.push(pts[i]! - pts[i - 1]!);
  return median(times);
}

/** Part of a run; steps before `fresh`, counted from `start`, were scored before. */
interface Span {
  readonly start: number;
  readonly length: number;
  readonly fresh: number;
}

function* chunks(steps: number, n: number, stride: number): Generator<Span> {
  let scored = 0;
  for (let next = 0; scored < steps; next += stride) {
    const start = Math.max(0, Math.min(next, steps - n));
    const length = Math.min(n, steps);
    yield { start, length, fresh: scored - start };
    scored = start + length;
  }
}

function* slides(steps: number, n: number): Generator<Span> {
  for (let end = 1; end <= steps; end++) {
    const length = Math.min(n, end);
    yield { start: end - length, length, fresh: length - 1 };
  }
}

/** Where a track is a single step, nothing says how long that is. */
function stepsIn(milliseconds: number, { interval }: Run): number {
  return Math.max(1, Math.round((milliseconds * 1000) / interval) || 1);
}

function windowOf({ track, steps }: Run, { start, length, fresh }: Span, n: number, of: WindowSource): Window {
  const rows = new Int32Array(n).fill(-1);
  const index = new Int32Array(n).fill(-1);
  const pts = new Float64Array(n).fill(Number.NaN);
  const present = new Uint8Array(n);
  const labels = new Float32Array(n * 2).fill(Number.NaN);
  for (let i = 0; i < length; i++) {
    const step = steps[start + i] as Step;
    rows[i] = step.row;
    index[i] = step.index;
    pts[i] = step.pts;
    present[i] = step.row >= 0 ? 1 : 0;
    if (step.label) labels.set([step.label.valence, step.label.arousal], i * 2);
  }
  return { kind: "window", n, ...of, track, rows, index, pts, present, labels, length, fresh };
}
