import type { Phase } from "./types.ts";

/** Consecutive iterations of one phase, done by one run. */
export interface Run {
  readonly phase: Phase;
  readonly iterations: readonly number[];
}

/** Iterations `from`..`to`, both included, with nothing else to do between them. */
export interface Round {
  readonly from: number;
  readonly to: number;
  readonly runs: readonly Run[];
}

/**
 * The iterations after `done`, up to the next at which something else must be done (`pause`), or another phase runs, or
 * `stepsPerRun` are together. A function of its arguments alone, so that a resumed run cuts its rounds as the first did.
 */
export function roundAfter(
  done: number,
  phases: readonly Phase[],
  { stepsPerRun, pause }: { stepsPerRun: number; pause: (iteration: number) => boolean },
): Round {
  const runs: { phase: Phase; iterations: number[] }[] = [];
  for (let iteration = done + 1; ; iteration++) {
    const due = phases.filter(({ every = 1 }) => iteration % every === 0);
    for (const phase of due) {
      const last = runs.at(-1);
      if (last?.phase === phase) last.iterations.push(iteration);
      else runs.push({ phase, iterations: [iteration] });
    }
    if (runs.length > 1 || due.length > 1 || pause(iteration) || iteration - done === stepsPerRun)
      return { from: done + 1, to: iteration, runs };
  }
}
