import { PipeError } from "../../errors.ts";
import type { FitOptions } from "./types.ts";

/** Throws a PipeError that says what is wrong with the options, before anything is opened or written. */
export function checkOptions(options: FitOptions): void {
  const { name, parts, start = {}, phases, iterations, validation } = options;
  const fault = (what: string, hint?: string): never => {
    throw new PipeError(`${name}: ${what}`, hint === undefined ? {} : { hint });
  };
  const whole = (what: string, value: number | undefined, least: number) => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least))
      fault(`${what} must be a whole number of at least ${least}, not ${value}.`);
  };
  whole("iterations", iterations, 1);
  whole("checkpointEvery", options.checkpointEvery, 1);
  whole("keep", options.keep, 1);
  whole("logEvery", options.logEvery, 1);
  whole("stepsPerRun", options.stepsPerRun, 1);
  whole("batchesAhead", options.batchesAhead, 0);
  whole("validation.every", validation?.every, 1);
  whole("validation.patience", validation?.patience, 1);

  const known = `Parts: ${Object.keys(parts).join(", ")}.`;
  const owners = new Map<string, string>();
  for (const [part, specs] of Object.entries(parts)) {
    if (part.includes("/")) fault(`the part "${part}" has a slash in its name.`);
    if (specs.length === 0) fault(`the part "${part}" has no parameters.`);
    for (const spec of specs) {
      const owner = owners.get(spec.name);
      if (owner !== undefined) fault(`the parts "${owner}" and "${part}" both have a parameter "${spec.name}".`);
      owners.set(spec.name, part);
    }
  }
  for (const part of Object.keys(start))
    if (!parts[part]) fault(`start has weights for "${part}", which is no part.`, known);

  if (phases.length === 0) fault("there are no phases, so there is nothing to train.");
  const seen = new Set<string>();
  for (const phase of phases) {
    if (seen.has(phase.name)) fault(`two phases are named "${phase.name}".`);
    seen.add(phase.name);
    if (phase.name.includes("/")) fault(`the phase "${phase.name}" has a slash in its name.`);
    whole(`every of the phase "${phase.name}"`, phase.every, 1);
    if (phase.trains.length === 0) fault(`the phase "${phase.name}" trains no part.`, known);
    if (new Set(phase.trains).size < phase.trains.length) fault(`the phase "${phase.name}" names a part twice.`);
    for (const part of phase.trains)
      if (!parts[part]) fault(`the phase "${phase.name}" trains "${part}", which is no part.`, known);
    for (const [loss, weight] of Object.entries(phase.weights)) {
      if (!Number.isFinite(weight))
        fault(`the weight of the loss "${loss}" of the phase "${phase.name}" is ${weight}.`);
      if (loss === "total")
        fault(`the phase "${phase.name}" has a loss named "total".`, "That is the name of the weighted sum.");
    }
  }
}
