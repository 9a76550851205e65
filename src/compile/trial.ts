import { reasonOf } from "../errors.ts";
import type { Value } from "./types.ts";

/** What a trial found of a model that says it takes any number of rows. */
export interface Trial {
  /** Rows that it can be given in one run. */
  readonly rows: number;
  /** Why that is fewer than were wanted; null where it is not. */
  readonly why: string | null;
}

/** By how much a row may differ beside others, as a share of the output's largest number. */
const TOLERANCE = 1e-3;

/**
 * Tries whether a model takes several rows at once, and whether a row's answer is then what it is alone: what a file
 * declares need not be what its graph does.
 *
 * @param run outputs for the first so many of some rows that differ from each other
 * @param wanted the most rows of one run
 * @throws what `run` throws of one row, if it runs neither that nor `wanted` rows
 */
export async function tryRows(run: (rows: number) => Promise<Record<string, Value>>, wanted: number): Promise<Trial> {
  let alone: Record<string, Value>;
  try {
    alone = await run(1);
  } catch (cause) {
    const whole = wanted > 1 && (await run(wanted).catch(() => undefined));
    if (whole) return { rows: wanted, why: null };
    throw cause;
  }
  if (wanted === 1) return { rows: 1, why: null };
  try {
    const differing = differs(alone, await run(2));
    if (differing === undefined) return { rows: wanted, why: null };
    return { rows: 1, why: `its output "${differing}" for one row changes with the rows beside it` };
  } catch (cause) {
    return { rows: 1, why: `it fails with more: ${reasonOf(cause)}` };
  }
}

/** The output whose first row is another alone than as one of two. */
function differs(alone: Record<string, Value>, both: Record<string, Value>): string | undefined {
  return Object.entries(alone).find(([name, { data }]) => {
    const other = both[name]!.data;
    if (other.length !== data.length * 2) return true;
    const largest = Array.from(data).reduce((most, x) => Math.max(most, Math.abs(x) || 0), 0);
    return Array.from(data).some(
      (x, i) => !Object.is(x, other[i]) && !(Math.abs(x - other[i]!) <= TOLERANCE * largest),
    );
  })?.[0];
}

/**
 * Any bytes, the same for a seed every time, by a linear congruential generator; those of odd seeds are half as large, so
 * that what is measured over all rows differs from what is measured over one.
 */
export function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) >> (seed % 2);
  });
}
