import type { Steps, Value } from "../../compile/index.ts";
import { checkFinite } from "./finite.ts";
import type { Reading } from "./means.ts";
import { feedOf, lossOf, normOf } from "./programs.ts";
import type { Run, Unit } from "./schedule.ts";
import { stack } from "./stack.ts";
import type { Batch } from "./types.ts";

/** The batches of a run: for each of its iterations one for each phase. */
export type Batches = readonly (readonly Batch[])[];

/**
 * Makes the steps of a run, in one graph where their batches are alike, and gives each iteration's numbers.
 * Throws a PipeError when one is not finite. `about`: what is said then.
 */
export async function runUnit(
  steps: Steps<string>,
  { unit, iterations }: Run,
  batches: Batches,
  about: Pick<Parameters<typeof checkFinite>[2], "fit" | "last">,
): Promise<Map<number, Reading[]>> {
  const feeds = batches.map((own) => feedsOf(unit, own));
  const results = await resultsOf(steps, unit.name, feeds);
  return new Map(
    iterations.map((iteration, i) => [iteration, readings(unit, iteration, results[i]!, batches[i]!, about)]),
  );
}

/** Samples that a run trains on: ids, or else the first axis of each batch's first feed. */
export function samplesIn(batches: Batches): number {
  const size = ({ ids, feeds }: Batch) => ids?.length ?? Object.values(feeds)[0]?.shape[0] ?? 1;
  return batches.flat().reduce((sum, batch) => sum + size(batch), 0);
}

type Scalars = Record<string, number>;

async function resultsOf(steps: Steps<string>, name: string, feeds: Record<string, Value>[]): Promise<Scalars[]> {
  const together = feeds.length > 1 ? stack(feeds) : null;
  if (together) {
    const all = await steps.run(name, together, { steps: feeds.length });
    return feeds.map((_, i) => scalars(all, i));
  }
  const results: Scalars[] = [];
  for (const feed of feeds) results.push(scalars(await steps.run(name, feed), 0));
  return results;
}

function scalars(values: Record<string, Value>, at: number): Scalars {
  return Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, data[at]!]));
}

function feedsOf(unit: Unit, batches: readonly Batch[]): Record<string, Value> {
  return Object.fromEntries(
    unit.phases.flatMap(({ name }, i) =>
      Object.entries(batches[i]!.feeds).map(([input, value]) => [feedOf(name, input), value]),
    ),
  );
}

function readings(
  unit: Unit,
  iteration: number,
  result: Scalars,
  batches: readonly Batch[],
  about: Parameters<typeof runUnit>[3],
): Reading[] {
  return unit.phases.flatMap((phase, i) => {
    const step = { ...about, phase: phase.name, iteration, batch: batches[i]! };
    const losses = [...Object.keys(phase.weights), "total"].map((loss): Reading => {
      const value = result[lossOf(phase.name, loss)]!;
      checkFinite(`the loss "${loss}"`, value, step);
      return { kind: "loss", key: `${phase.name}/${loss}`, value };
    });
    const norms = phase.trains.map((part): Reading => {
      const value = result[normOf(phase.name, part)]!;
      checkFinite(`the gradient of "${part}"`, value, step);
      return { kind: "gradient", key: `${phase.name}/${part}`, value };
    });
    return [...losses, ...norms];
  });
}
