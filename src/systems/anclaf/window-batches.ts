import type { Batch, FitOptions } from "../../nn/fit.ts";
import { shuffled } from "../../nn/shuffled.ts";
import { sizeOf } from "../../nn/weights.ts";
import { type Random, seeded } from "../../random.ts";
import type { Window } from "../../records.ts";

/** Reads what the steps of windows are: [windows, n, ...shape], zeros where a step's row is −1. */
export interface WindowReader {
  /** Memory that is read into without a copy, and that lives as long as the reader; any other will do. */
  allocate?(length: number): Float32Array;
  read(windows: readonly Pick<Window, "folder" | "rows" | "shape">[], into: Float32Array): Promise<void>;
}

/** How a label in native units is trained on. Dimension 0 is valence, 1 arousal. */
export interface LabelScale {
  /** Scaled to −1..1. */
  unit(label: number, dimension: 0 | 1): number;
  /** Its weight in the loss, mean 1 over the training frames. */
  weight(label: number, dimension: 0 | 1): number;
}

/** In which order a window's steps are shown to the model, by step; null leaves them as they are. */
export type StepOrder = (window: Window) => Int32Array | null;

/** As they were filmed. */
export const inTime: StepOrder = () => null;

/**
 * The control for order: every window's steps shuffled, padding apart, each window always in the same way. A memory then
 * has the same frames to look back on, and no motion.
 */
export function outOfTime(seed: number): StepOrder {
  const root = seeded(seed).fork("out of time");
  return ({ n, length, source, track, index }) => {
    const random = root.fork(`${n} ${source} ${track} ${index[0]}`);
    const order = Int32Array.from({ length: n }, (_, t) => t);
    for (let t = length - 1; t > 0; t--) {
      const other = Math.floor(random.next() * (t + 1));
      [order[t], order[other]] = [order[other]!, order[t]!];
    }
    return order;
  };
}

/** A window's steps in an order. */
export function inOrder(
  window: Window,
  order: Int32Array | null,
): Pick<Window, "folder" | "shape" | "rows" | "present" | "labels"> {
  if (order === null) return window;
  const { folder, shape, rows, present, labels, n } = window;
  return {
    folder,
    shape,
    rows: rows.map((_, t) => rows[order[t]!]!),
    present: present.map((_, t) => present[order[t]!]!),
    labels: Float32Array.from({ length: n * 2 }, (_, k) => labels[order[k >> 1]! * 2 + (k & 1)]!),
  };
}

export interface WindowBatchesOptions {
  /** Of one length and shape, the training people's; at least one, and each with a step to learn from. */
  readonly windows: readonly Window[];
  /** Windows in a batch. */
  readonly batch: number;
  readonly seed: number;
  readonly reader: WindowReader;
  readonly scale: LabelScale;
  readonly order?: StepOrder;
  /** Share of so many features that each window is trained without; default none. */
  readonly dropout?: { readonly share: number; readonly features: number };
}

/**
 * Batches of stage 2, a pure function of (seed, iteration): every window comes once in an epoch, in an order drawn for it.
 * Feeds, B windows of n steps:
 * - `values` float32 [B, n, ...shape], `present` uint8 [B, n]
 * - `labels` float32 [B, n, 2], scaled to −1..1; 0 where there is none
 * - `weights` float32 [B, n, 2]: 0 where a step is missing or has no label, and scaled so that a mean over all B·n steps
 *   is one over those that count
 * - `kept` float32 [B, features], where there is dropout: 0 for what a window does without, and 1 / (1 − share) for the rest
 */
export function windowBatches(options: WindowBatchesOptions): FitOptions["batch"] {
  const { windows, batch, seed, reader, scale, order = inTime, dropout } = options;
  const placeOf = shuffled(windows.length, seed);
  const { n, shape } = windows[0]!;
  const room = roomsFor(reader, batch * n * sizeOf(shape));
  return async (iteration, _phase, signal): Promise<Batch> => {
    signal.throwIfAborted();
    const chosen = Array.from({ length: batch }, (_, i) => windows[placeOf((iteration - 1) * batch + i)]!);
    const shown = chosen.map((window) => inOrder(window, order(window)));
    const values = room(iteration);
    await reader.read(shown, values);
    const present = new Uint8Array(batch * n);
    for (const [i, window] of shown.entries()) present.set(window.present, i * n);
    return {
      ids: chosen.map(nameOf),
      feeds: {
        values: { data: values, shape: [batch, n, ...shape] },
        present: { data: present, shape: [batch, n] },
        ...targets(shown, n, scale),
        ...(dropout && dropout.share > 0 && { kept: kept(dropout, batch, seeded(seed).fork(`dropout ${iteration}`)) }),
      },
    };
  };
}

function kept({ share, features }: { share: number; features: number }, batch: number, random: Random) {
  const data = new Float32Array(batch * features);
  for (let i = 0; i < data.length; i++) if (random.next() >= share) data[i] = 1 / (1 - share);
  return { data, shape: [batch, features] };
}

/** Batches that are made while one is trained on. */
export const AHEAD = 2;

/**
 * Where the values of an iteration's batch go. Memory of the reader's own is used in turns: a step copies what it is fed
 * when it begins, and until then at most `AHEAD` others are made.
 */
function roomsFor(reader: WindowReader, length: number): (iteration: number) => Float32Array {
  if (!reader.allocate) return () => new Float32Array(length);
  const rooms: (Float32Array | undefined)[] = new Array(AHEAD + 2).fill(undefined);
  return (iteration) => {
    const at = iteration % rooms.length;
    rooms[at] ??= reader.allocate!(length);
    return rooms[at];
  };
}

function targets(windows: readonly Pick<Window, "present" | "labels">[], n: number, scale: LabelScale) {
  const size = windows.length * n * 2;
  const [labels, weights] = [new Float32Array(size), new Float32Array(size)];
  const counted: [number, number] = [0, 0];
  for (const [i, window] of windows.entries())
    for (let t = 0; t < n; t++) {
      if (window.present[t] === 0) continue;
      for (const dimension of [0, 1] as const) {
        const label = window.labels[t * 2 + dimension]!;
        if (Number.isNaN(label)) continue;
        const at = (i * n + t) * 2 + dimension;
        labels[at] = scale.unit(label, dimension);
        weights[at] = scale.weight(label, dimension);
        counted[dimension] += 1;
      }
    }
  const shares = counted.map((count) => (count === 0 ? 0 : size / 2 / count));
  for (let at = 0; at < size; at++) weights[at]! *= shares[at & 1]!;
  const shape = [windows.length, n, 2];
  return { labels: { data: labels, shape }, weights: { data: weights, shape } };
}

/** Whether the loss would count a step of it. */
export function isTrainable({ n, present, labels }: Window): boolean {
  for (let t = 0; t < n; t++)
    if (present[t] !== 0 && !(Number.isNaN(labels[t * 2]) && Number.isNaN(labels[t * 2 + 1]))) return true;
  return false;
}

/** For errors: `clip 012, frames 8 to 15`. */
export function nameOf({ source, clip, index, length }: Window): string {
  return `${clip?.id ?? source}, frames ${index[0]} to ${index[length - 1]}`;
}
