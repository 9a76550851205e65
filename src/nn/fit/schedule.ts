import type { Phase } from "./types.ts";

/** What one graph does in one iteration. */
export interface Unit {
  readonly name: string;
  readonly phases: readonly Phase[];
  readonly every: number;
}

/** Consecutive iterations of one unit, done by one run. */
export interface Run {
  readonly unit: Unit;
  readonly iterations: readonly number[];
}

/** Iterations `from`..`to`, both included, with nothing else to do between them. */
export interface Round {
  readonly from: number;
  readonly to: number;
  readonly runs: readonly Run[];
}

/** Phases as units, a graph each: what is updated in place is updated after a graph. */
export function unitsOf(phases: readonly Phase[]): readonly Unit[] {
  return phases.map((phase) => ({ name: phase.name, phases: [phase], every: phase.every ?? 1 }));
}

/**
 * The iterations after `done`, up to the next at which something else must be done (`pause`), or another unit runs, or
 * `stepsPerRun` are together. A function of its arguments alone, so that a resumed run cuts its rounds as the first did.
 */
export function roundAfter(
  done: number,
  units: readonly Unit[],
  { stepsPerRun, pause }: { stepsPerRun: number; pause: (iteration: number) => boolean },
): Round {
  const runs: { unit: Unit; iterations: number[] }[] = [];
  for (let iteration = done + 1; ; iteration++) {
    const due = units.filter(({ every }) => iteration % every === 0);
    for (const unit of due) {
      const last = runs.at(-1);
      if (last?.unit === unit) last.iterations.push(iteration);
      else runs.push({ unit, iterations: [iteration] });
    }
    if (runs.length > 1 || due.length > 1 || pause(iteration) || iteration - done === stepsPerRun)
      return { from: done + 1, to: iteration, runs };
  }
}
