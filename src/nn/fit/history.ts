import { PipeError } from "../../errors.ts";
import type { Validation } from "./types.ts";

/** What the loop remembers beside weights and optimisers. Plain data: it goes into every checkpoint. */
export interface History {
  /** Sums since the last line of the log. */
  readonly sums: Readonly<Record<string, Sum>>;
  /** Length of log.jsonl. */
  readonly logBytes: number;
  readonly best: { readonly iteration: number; readonly metrics: Readonly<Record<string, number>> } | null;
  /** Validations since the best. */
  readonly since: number;
  /** An abort came before the validation of this iteration was through: it is still to be done. */
  readonly validationDue: boolean;
}

export interface Sum {
  readonly sum: number;
  readonly count: number;
}

export const FRESH: History = { sums: {}, logBytes: 0, best: null, since: 0, validationDue: false };

/** The history after a validation, and whether that was the best so far. Throws when the watched metric is no number. */
export function validated(
  history: History,
  { metric, better, minDelta = 0 }: Validation,
  at: { iteration: number; metrics: Readonly<Record<string, number>>; name: string },
): { history: History; better: boolean } {
  const { iteration, metrics, name } = at;
  const value = metrics[metric];
  if (value === undefined || !Number.isFinite(value))
    throw new PipeError(`${name}: the validation of iteration ${iteration} gave ${metric} = ${value}.`, {
      hint: `It must give a finite number of that name. It gave: ${Object.keys(metrics).join(", ") || "nothing"}.`,
    });
  const former = history.best?.metrics[metric];
  const gain = former === undefined ? Number.POSITIVE_INFINITY : better === "higher" ? value - former : former - value;
  if (gain > minDelta) return { history: { ...history, best: { iteration, metrics }, since: 0 }, better: true };
  return { history: { ...history, since: history.since + 1 }, better: false };
}

/** Whether patience has ended. */
export function exhausted({ since }: History, validation: Validation | undefined): boolean {
  return validation?.patience !== undefined && since >= validation.patience && since > 0;
}
