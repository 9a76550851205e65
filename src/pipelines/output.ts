import path from "node:path";
import type { Stages } from "../stages/define.ts";
import type { BoundPipeline } from "./bind.ts";

/** The folder that a bound pipeline publishes into, absolute. */
export function outputOf(pipeline: BoundPipeline, stages: Stages): string {
  const last = pipeline.steps.at(-1)!;
  const folder = stages[last.stage]?.output?.(last.options);
  if (folder === undefined) throw new Error(`${last.stage} is a sink without output()`);
  return path.resolve(folder);
}
