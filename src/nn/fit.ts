import { join } from "node:path";
import { chooseEngine } from "../compile/engines.ts";
import { compileSteps, type StepProgram } from "../compile/index.ts";
import { diskError, makeFolder, syncFolder } from "../disk.ts";
import { PipeError } from "../errors.ts";
import { checkOptions } from "./fit/check.ts";
import { Checkpoints } from "./fit/checkpoints.ts";
import { configOf, withDefaults } from "./fit/config.ts";
import { exhausted, FRESH } from "./fit/history.ts";
import { FolderLock } from "./fit/lock.ts";
import { lookProgram, startState, stateNames, stepProgram, weightsIn } from "./fit/programs.ts";
import { RunLog } from "./fit/run-log.ts";
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
 * computes its losses and their gradient in one graph, then its parts' update in place; parameters and optimiser state
 * stay with the runner.
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
  const { folder, name, iterations, signal, validation, progress: tell = () => {} } = options;
  signal?.throwIfAborted();
  await makeFolder(folder).catch((error) => {
    throw diskError(error, folder);
  });
  await using _lock = await FolderLock.take(folder);

  const engine = chooseEngine(options);
  const config = configOf(options, engine);
  const checkpoints = new Checkpoints(options, withDefaults(options).keep);
  await checkpoints.prepare();
  const last = await checkpoints.newest();
  const saved = last
    ? await checkpoints.load(last, { config, names: stateNames(options), folder })
    : { iteration: 0, history: FRESH, state: startState(options, startWeights(options)) };
  if (saved.iteration > iterations)
    throw new PipeError(`${folder} has a run of ${saved.iteration} iterations; ${iterations} were asked for.`, {
      hint: "Ask for at least as many, or train into another folder.",
    });

  const resumedFrom = last?.iteration ?? null;
  let at: Pick<Trainer, "iteration" | "history"> = saved;
  const result = (weights: FitResult["weights"]): FitResult => {
    const { best } = at.history;
    return {
      iteration: at.iteration,
      stopped: exhausted(at.history, validation) ? "patience" : "iterations",
      weights,
      last: checkpoints.pathOf(at.iteration),
      best: best && { ...best, path: checkpoints.pathOf(best.iteration) },
      resumedFrom,
      engine,
    };
  };
  tell({ event: "begin", name, iterations, resumedFrom, engine });
  let stopped: "iterations" | "patience" | "aborted" | "failed" = "failed";
  try {
    await using log = await RunLog.open(join(folder, "log.jsonl"), saved.history.logBytes);
    const finished = saved.iteration === iterations || exhausted(saved.history, validation);
    if (finished && last?.regular) await checkpoints.tidy(saved.history);
    else {
      await using timing = await RunLog.open(join(folder, "timing.jsonl"), "all");
      await syncFolder(folder);
      await using steps = compileSteps(programsOf(options), { ...options, state: saved.state });
      // The runner has it now; of a large network it would be held twice.
      saved.state = {};
      const trainer = new Trainer(options, { steps, checkpoints, log, timing, config }, { ...saved, last });
      at = trainer;
      await trainer.train();
      saved.state = await trainer.weights();
    }
    const done = result(weightsIn(saved.state, options.parts));
    stopped = done.stopped;
    return done;
  } catch (error) {
    if (signal?.aborted) stopped = "aborted";
    throw error;
  } finally {
    tell({ event: "end", name, iteration: at.iteration, stopped });
  }
}

function programsOf({ parts, phases, programs = {} }: FitOptions): Record<string, StepProgram> {
  return Object.fromEntries([
    ...phases.map((phase) => [phase.name, stepProgram(phase, parts)] as const),
    ...Object.entries(programs).map(([key, program]) => [lookOf(key), lookProgram(program, parts)] as const),
  ]);
}

function startWeights({ parts, start = {}, seed }: FitOptions): Record<string, Weights> {
  return Object.fromEntries(
    Object.entries(parts).map(([part, specs]) => [part, start[part] ?? initialise(specs, seed)]),
  );
}
