import type { BoundPipeline } from "../pipelines/bind.ts";
import type { RunResult } from "../pipelines/run.ts";
import type { Stages } from "../stages/define.ts";
import { printable } from "./session.ts";

/** What follows a run's summary: what to do with what was made, and last of all why nobody should rely on it. */
export async function afterwards(
  { outcomes, exitCode }: Pick<RunResult, "outcomes" | "exitCode">,
  { steps }: BoundPipeline,
  stages: Stages,
): Promise<string[]> {
  const made = outcomes.filter(({ artifacts }) => artifacts.length > 0);
  if (made.length === 0) return [];
  const { stage, options } = steps.at(-1)!;
  const next = exitCode === 130 ? [] : ((await stages[stage]?.next?.(options, made)) ?? []);
  const cautions = new Set(made.flatMap(({ facts: { caution } }) => (typeof caution === "string" ? [caution] : [])));
  return [...next, ...cautions].map(printable);
}
