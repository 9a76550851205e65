import { PipeError } from "../../errors.ts";
import type { Batch } from "./types.ts";

/** What is known of a step when one of its numbers is looked at. */
export interface Step {
  readonly fit: string;
  readonly phase: string;
  readonly iteration: number;
  readonly batch: Batch;
  /** The newest checkpoint; undefined before the first. */
  readonly last: { readonly path: string; readonly iteration: number } | undefined;
}

/** Throws a PipeError that says where training broke when a number is NaN or infinite. `what`: "the loss "gap"". */
export function checkFinite(what: string, value: number, step: Step): void {
  if (Number.isFinite(value)) return;
  const { fit, phase, iteration, batch, last } = step;
  const standing =
    last === undefined
      ? "Nothing was saved yet."
      : `The last good checkpoint is ${last.path}, of iteration ${last.iteration}; nothing was saved after it.`;
  throw new PipeError(
    `${fit}: ${what} of the phase "${phase}" became ${value} in iteration ${iteration}${shown(batch.ids)}.`,
    { hint: `${standing} Look at these samples, lower the learning rate, or clip the gradient's norm.` },
  );
}

function shown(ids: Batch["ids"]): string {
  if (ids === undefined || ids.length === 0) return "";
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : "";
  return `, on the samples ${ids.slice(0, SHOWN).join(", ")}${more}`;
}

const SHOWN = 8;
