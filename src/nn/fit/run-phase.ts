import type { Steps, Value } from "../../compile/index.ts";
import { checkFinite } from "./finite.ts";
import type { Reading } from "./means.ts";
import { lossOf, normOf } from "./programs.ts";
import type { Run } from "./schedule.ts";
import { stack } from "./stack.ts";
import type { Batch, Phase } from "./types.ts";

/**
 * Makes the steps of a run, in one graph where their batches are alike, and gives each iteration's numbers.
 * `batches`: one for each of its iterations. Throws a PipeError when a number is not finite. `about`: what is said then.
 */
export async function runPhase(
  steps: Steps<string>,
  { phase, iterations }: Run,
  batches: readonly Batch[],
  about: Pick<Parameters<typeof checkFinite>[2], "fit" | "last">,
): Promise<Map<number, Reading[]>> {
  const results = await resultsOf(
    steps,
    phase.name,
    batches.map(({ feeds }) => feeds),
  );
  return new Map(
    iterations.map((iteration, i) => {
      const step = { ...about, phase: phase.name, iteration, batch: batches[i]! };
      return [iteration, readings(phase, results[i]!, step)];
    }),
  );
}

/** Samples that a run trains on: ids, or else the first axis of each batch's first feed. */
export function samplesIn(batches: readonly Batch[]): number {
  const size = ({ ids, feeds }: Batch) => ids?.length ?? Object.values(feeds)[0]?.shape[0] ?? 1;
  return batches.reduce((sum, batch) => sum + size(batch), 0);
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

function readings(
  { name, weights, trains }: Phase,
  result: Scalars,
  step: Parameters<typeof checkFinite>[2],
): Reading[] {
  const losses = [...Object.keys(weights), "total"].map((loss): Reading => {
    const value = result[lossOf(loss)]!;
    checkFinite(`the loss "${loss}"`, value, step);
    return { kind: "loss", key: `${name}/${loss}`, value };
  });
  const norms = trains.map((part): Reading => {
    const value = result[normOf(part)]!;
    checkFinite(`the gradient of "${part}"`, value, step);
    return { kind: "gradient", key: `${name}/${part}`, value };
  });
  return [...losses, ...norms];
}
