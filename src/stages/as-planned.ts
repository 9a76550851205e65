import { z } from "zod";
import { PipeError } from "../errors.ts";
import type { Context } from "./define.ts";

/**
 * Holds what a stage has opened against what its key was made from: results of a model that was put in place of the planned
 * one must not be kept under the planned one's name. A context without key parts has no plan.
 *
 * @param opened sha256 of the bytes that were opened, by the names that the stage's `models` or `modelsFor` gives
 * @throws PipeError when one of them is another than was planned
 */
export function asPlanned({ keyParts }: Context, opened: Readonly<Record<string, string>>): void {
  const step = planSchema.safeParse(keyParts).data?.steps.at(-1);
  for (const [name, planned] of Object.entries(step?.models ?? {})) {
    const found = opened[name];
    if (found === undefined || found === planned) continue;
    throw new PipeError(
      `${step!.stage}: the file of its model "${name}" was replaced after the run was planned: it was ${planned.slice(0, 12)} and is ${found.slice(0, 12)}.`,
      { hint: "Nothing of the new model was kept. Give the same command again: it plans with the model of now." },
    );
  }
}

const planSchema = z.object({
  steps: z.array(z.looseObject({ stage: z.string(), models: z.record(z.string(), z.string()) })),
});
