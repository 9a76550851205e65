import type { Value } from "../../compile/index.ts";
import { PipeError } from "../../errors.ts";
import { sizeOf } from "../../nn/weights.ts";
import type { Window } from "../../records.ts";
import { inOrder, inTime, nameOf, type StepOrder, type WindowReader } from "./window-batches.ts";

export interface PredictWindowsOptions {
  readonly reader: WindowReader;
  /** Windows in one run; what is left at the end is filled up, since another shape would be another graph. */
  readonly batch: number;
  /** From `values` [batch, n, ...shape] and `present` [batch, n] to `affect` [batch, n, 2] and perhaps `attention` [batch, n, n]. */
  readonly run: (feeds: Record<string, Value>) => Promise<Record<string, Value>>;
  readonly order?: StepOrder;
  readonly signal?: AbortSignal;
}

export interface PredictedWindow {
  readonly window: Window;
  /** [n, 2]: valence, arousal, −1..1 as scaled in training, step by step in time; NaN where a step is missing. */
  readonly affect: Float32Array;
  /** [n]: how many of the window's faces the model had been shown up to and with each step's; 0 where a step is missing. */
  readonly seen: Int32Array;
  /** [n, n]: weight of step i at step t, as they were shown to the model; null without attention. */
  readonly attention: Float32Array | null;
}

/** What a model says of windows of one length, in their order. Throws a PipeError that names the first window whose answer is not finite. */
export async function* predictWindows(
  windows: readonly Window[],
  { reader, batch, run, order = inTime, signal }: PredictWindowsOptions,
): AsyncGenerator<PredictedWindow, void, void> {
  for (let from = 0; from < windows.length; from += batch) {
    signal?.throwIfAborted();
    const some = windows.slice(from, from + batch);
    const { n, shape } = some[0]!;
    const size = n * sizeOf(shape);
    const orders = some.map(order);
    const shown = some.map((window, i) => inOrder(window, orders[i]!));
    const read = new Float32Array(some.length * size);
    await reader.read(shown, read);
    const values = some.length === batch ? read : new Float32Array(batch * size);
    if (values !== read) values.set(read);
    const present = new Uint8Array(batch * n);
    for (const [i, window] of shown.entries()) present.set(window.present, i * n);
    const said = await run({
      values: { data: values, shape: [batch, n, ...shape] },
      present: { data: present, shape: [batch, n] },
    });
    for (const [i, window] of some.entries())
      yield {
        window,
        seen: seenOf(window, orders[i]!),
        affect: affectOf(window, (said.affect!.data as Float32Array).subarray(i * n * 2, (i + 1) * n * 2), orders[i]!),
        attention: (said.attention?.data as Float32Array | undefined)?.slice(i * n * n, (i + 1) * n * n) ?? null,
      };
  }
}

/** In time again, and only of steps that are there. */
function affectOf(window: Window, said: Float32Array, order: Int32Array | null): Float32Array {
  const affect = new Float32Array(said.length).fill(Number.NaN);
  for (let at = 0; at < window.n; at++) {
    const t = order?.[at] ?? at;
    if (window.present[t] === 0) continue;
    for (const dimension of [0, 1]) {
      const x = said[at * 2 + dimension]!;
      if (!Number.isFinite(x))
        throw new PipeError(`The prediction for ${nameOf(window)}, step ${t}, is ${x}.`, {
          hint: "The weights may come from a training that diverged.",
        });
      affect[t * 2 + dimension] = x;
    }
  }
  return affect;
}

/** Counted in the order in which the steps were shown. */
function seenOf({ n, present }: Window, order: Int32Array | null): Int32Array {
  const seen = new Int32Array(n);
  let shown = 0;
  for (let at = 0; at < n; at++) {
    const t = order?.[at] ?? at;
    if (present[t] !== 0) seen[t] = ++shown;
  }
  return seen;
}

/** The steps that this window scores: seen by no earlier one, and there. */
export function* scoredSteps({ fresh, length, present }: Window): Generator<number, void, void> {
  for (let t = fresh; t < length; t++) if (present[t] !== 0) yield t;
}
