import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chooseEngine } from "../compile/engines.ts";
import { compileSteps, type StepProgram } from "../compile/index.ts";
import { PipeError } from "../errors.ts";
import { syncFolder } from "./checkpoint.ts";
import { checkOptions } from "./fit/check.ts";
import { Checkpoints } from "./fit/checkpoints.ts";
import { configOf, withDefaults } from "./fit/config.ts";
import { exhausted, FRESH } from "./fit/history.ts";
import { FolderLock } from "./fit/lock.ts";
import { lookProgram, startState, stepProgram, weightsIn } from "./fit/programs.ts";
import { RunLog } from "./fit/run-log.ts";
import { unitsOf } from "./fit/schedule.ts";
import { lookOf, Trainer } from "./fit/trainer.ts";
import type { FitOptions, FitResult } from "./fit/types.ts";
import { initialise } from "./init.ts";
import type { Weights } from "./weights.ts";

export { weightsOf } from "./fit/checkpoints.ts";
export { type About, exportWeights } from "./fit/export.ts";
export type * from "./fit/types.ts";
export { inWords } from "./fit/words.ts";

/**
 * Trains: the one loop of this project. In each iteration the phases whose `every` divides it run in order; each
 * computes its losses, their gradient and its parts' update in one graph, and parameters and optimiser state stay with
 * the runner.
 *
 * The same call goes on where a killed or aborted one stopped, and ends with the same bytes: `checkpoints/` (the last
 * `keep` and the best) and `log.jsonl` (losses, means since the line before; validations). `timing.jsonl` (samples/s,
 * share of time waiting for data, tensors, memory) has the times, which no two runs share, and is only ever added to.
 *
 * Throws a PipeError when a loss or a gradient is not finite, naming loss, phase, iteration, samples and the last good
 * checkpoint; when another fit has the folder; when the folder was begun with another configuration, naming the field.
 * Rejects with the signal's reason when aborted.
 */
export async function fit(options: FitOptions): Promise<FitResult> {
  checkOptions(options);
  const { folder, parts, phases, name, iterations, signal, validation, programs = {} } = options;
  const { keep, stepsPerRun } = withDefaults(options);
  signal?.throwIfAborted();
  await mkdir(folder, { recursive: true });
  await using _lock = await FolderLock.take(folder);

  const engine = chooseEngine(options);
  const config = configOf(options, engine);
  const checkpoints = new Checkpoints(options, keep);
  await checkpoints.prepare();
  const last = await checkpoints.newest();
  const fresh = startState(options, startWeights(options));
  const saved = last
    ? await checkpoints.load(last, { config, names: Object.keys(fresh), folder })
    : { iteration: 0, state: fresh, history: FRESH, config };
  const { iteration, history, state } = saved;
  if (iteration > iterations)
    throw new PipeError(`${folder} has a run of ${iteration} iterations; ${iterations} were asked for.`, {
      hint: "Ask for at least as many, or train into another folder.",
    });

  const tell = options.progress ?? (() => {});
  const resumedFrom = last?.iteration ?? null;
  let at: Pick<Trainer, "iteration" | "history"> = { iteration, history };
  const ended = (weights: FitResult["weights"]): FitResult => {
    const { best } = at.history;
    const stopped = exhausted(at.history, validation) ? "patience" : "iterations";
    tell({ event: "end", name, iteration: at.iteration, stopped });
    return {
      iteration: at.iteration,
      stopped,
      weights,
      last: checkpoints.pathOf(at.iteration),
      best: best && { ...best, path: checkpoints.pathOf(best.iteration) },
      resumedFrom,
      engine,
    };
  };
  tell({ event: "begin", name, iterations, resumedFrom, engine });
  try {
    await using log = await RunLog.open(join(folder, "log.jsonl"), history.logBytes);
    if (last?.regular && (iteration === iterations || exhausted(history, validation))) {
      await checkpoints.tidy(history);
      return ended(weightsIn(state, parts));
    }
    await using timing = await RunLog.open(join(folder, "timing.jsonl"), "all");
    await syncFolder(folder);
    const units = unitsOf(phases, stepsPerRun);
    const compiled: Record<string, StepProgram> = {};
    for (const unit of units) compiled[unit.name] = stepProgram(unit, parts);
    for (const [key, program] of Object.entries(programs)) compiled[lookOf(key)] = lookProgram(program, parts);
    await using steps = compileSteps(compiled, { ...options, state });
    const trainer = new Trainer(options, { steps, checkpoints, log, timing, units, config }, { ...at, last });
    at = trainer;
    await trainer.train();
    return ended(await trainer.weights());
  } catch (error) {
    tell({ event: "end", name, iteration: at.iteration, stopped: signal?.aborted ? "aborted" : "failed" });
    throw error;
  }
}

function startWeights({ parts, start = {}, seed }: FitOptions): Record<string, Weights> {
  return Object.fromEntries(
    Object.entries(parts).map(([part, specs]) => [part, start[part] ?? initialise(specs, seed)]),
  );
}
