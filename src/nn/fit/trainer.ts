import { memory } from "@tensorflow/tfjs-core";
import type { Steps, Value } from "../../compile/index.ts";
import type { Json } from "../../digest.ts";
import { PipeError, reasonOf } from "../../errors.ts";
import { Ahead } from "./ahead.ts";
import type { Checkpoints, Place } from "./checkpoints.ts";
import { withDefaults } from "./config.ts";
import { checkFinite } from "./finite.ts";
import { exhausted, type History, type Sum, validated } from "./history.ts";
import { Pace } from "./pace.ts";
import { feedOf, lossOf, normOf, vectorOf, weightsIn } from "./programs.ts";
import type { RunLog } from "./run-log.ts";
import { type Round, type Run, roundAfter, type Unit } from "./schedule.ts";
import { stack } from "./stack.ts";
import type { Batch, FitEvent, FitOptions, Phase } from "./types.ts";

/** What a trainer works with; whoever opened these closes them. */
export interface Bench {
  readonly steps: Steps<string>;
  readonly checkpoints: Checkpoints;
  readonly log: RunLog;
  readonly timing: RunLog;
  readonly units: readonly Unit[];
  readonly config: Json;
}

/** The loop: rounds of steps, and after each round what is due: validation, checkpoint. */
export class Trainer {
  readonly #options: FitOptions;
  readonly #bench: Bench;
  readonly #settings: ReturnType<typeof withDefaults>;
  readonly #pace = new Pace();
  readonly #sums = new Map<string, Sum>();
  /** Fires when no batch and no validation is needed any more. */
  readonly #over = new AbortController();
  #done: number;
  #history: History;
  #last: Place | undefined;
  #tensors: number[] = [];

  constructor(
    options: FitOptions,
    bench: Bench,
    from: { iteration: number; history: History; last: Place | undefined },
  ) {
    this.#options = options;
    this.#bench = bench;
    this.#settings = withDefaults(options);
    this.#done = from.iteration;
    this.#history = from.history;
    this.#last = from.last;
    for (const [key, sum] of Object.entries(from.history.sums)) this.#sums.set(key, sum);
  }

  get iteration(): number {
    return this.#done;
  }

  get history(): History {
    return this.#history;
  }

  /** Trains until iterations, patience or the signal end it; the last state is saved when it returns or was aborted. */
  async train(): Promise<void> {
    const { iterations, validation, signal } = this.#options;
    const batches = this.#batches();
    try {
      if (this.#done === 0 && this.#history.logBytes === 0) await this.#bench.log.write({ begin: this.#bench.config });
      if (this.#history.validationDue) await this.#settle();
      while (this.#done < iterations && !exhausted(this.#history, validation)) {
        if (signal?.aborted) await this.#abort(signal);
        await this.#round(batches);
        await this.#settle();
      }
      if (this.#last?.iteration !== this.#done || !this.#last.regular) await this.#save(true);
    } finally {
      this.#over.abort();
      await batches.end();
    }
  }

  // --- one round -------------------------------------------------------------------------------------------------

  #roundAfter(done: number): Round {
    const { stepsPerRun, checkpointEvery } = this.#settings;
    const { validation, iterations } = this.#options;
    const pause = (i: number) =>
      i === iterations || i % checkpointEvery === 0 || (validation !== undefined && i % validation.every === 0);
    return roundAfter(done, this.#bench.units, { stepsPerRun, pause });
  }

  #batches(): Ahead<[number, Phase], Batch> {
    const { name, batch, batchesAhead, iterations } = this.#options;
    const trainer = this;
    function* orders(): Generator<[number, Phase]> {
      for (let done = trainer.#done; done < iterations; ) {
        const { to, runs } = trainer.#roundAfter(done);
        for (const { unit, iterations } of runs)
          for (const iteration of iterations) for (const phase of unit.phases) yield [iteration, phase];
        done = to;
      }
    }
    const make = async ([iteration, phase]: [number, Phase]) => {
      try {
        return await batch(iteration, phase.name, this.#over.signal);
      } catch (cause) {
        const message = `${name}: the batch of iteration ${iteration} for the phase "${phase.name}" failed: ${reasonOf(cause)}`;
        throw cause instanceof PipeError ? new PipeError(message, { cause }) : new Error(message, { cause });
      }
    };
    const perRun = Math.max(...this.#bench.units.map(({ phases }) => phases.length)) * this.#settings.stepsPerRun;
    return new Ahead(orders(), make, batchesAhead ?? 2 * perRun);
  }

  async #round(batches: Ahead<[number, Phase], Batch>): Promise<void> {
    const round = this.#roundAfter(this.#done);
    const losses = new Map<number, [key: string, value: number][]>();
    let begun = false;
    for (const run of round.runs) {
      const taken: Batch[][] = [];
      for (const _ of run.iterations) {
        const own: Batch[] = [];
        for (const _ of run.unit.phases) {
          // An abort need not wait for data, but a round that was begun must be finished: it is saved whole or not at all.
          const next = batches.take();
          own.push(await this.#pace.wait(begun ? next : this.#unlessAborted(next)));
        }
        taken.push(own);
      }
      begun = true;
      for (const [iteration, entries] of await this.#run(run, taken))
        losses.set(iteration, [...(losses.get(iteration) ?? []), ...entries]);
    }
    for (let iteration = round.from; iteration <= round.to; iteration++) {
      for (const [key, value] of losses.get(iteration) ?? []) {
        const { sum, count } = this.#sums.get(key) ?? { sum: 0, count: 0 };
        this.#sums.set(key, { sum: sum + value, count: count + 1 });
      }
      this.#done = iteration;
      this.#pace.done(1);
      if (iteration % this.#settings.logEvery === 0) await this.#line();
      else this.#tell({ event: "step", ...this.#standing() });
    }
  }

  /** Runs the steps in as few graphs as their shapes allow, and gives each iteration's finite numbers. */
  async #run({ unit, iterations }: Run, batches: readonly Batch[][]): Promise<[number, [string, number][]][]> {
    const { steps } = this.#bench;
    const feeds = batches.map((own) => feedsOf(unit, own));
    const samples = batches.flat().reduce((sum, batch) => sum + sizeOf(batch), 0);
    const stacked = iterations.length > 1 ? stack(feeds) : null;
    const results: Record<string, Value>[] = [];
    if (stacked) {
      const all = await this.#pace.run(steps.run(unit.name, stacked, { steps: iterations.length }), samples);
      iterations.forEach(
        (_, i) => void results.push(mapped(all, ({ data }) => ({ data: data.slice(i, i + 1), shape: [] }))),
      );
    } else
      for (const [i, feed] of feeds.entries())
        results.push(
          await this.#pace.run(
            steps.run(unit.name, feed),
            batches[i]!.reduce((n, b) => n + sizeOf(b), 0),
          ),
        );
    return iterations.map((iteration, i) => [iteration, this.#numbers(unit, iteration, results[i]!, batches[i]!)]);
  }

  #numbers(
    unit: Unit,
    iteration: number,
    result: Record<string, Value>,
    batches: readonly Batch[],
  ): [string, number][] {
    return unit.phases.flatMap((phase, i) => {
      const step = { fit: this.#options.name, phase: phase.name, iteration, batch: batches[i]!, last: this.#last };
      const read = (key: string, label: string, what: string): [string, number] => {
        const value = result[key]!.data[0]!;
        checkFinite(what, value, step);
        return [label, value];
      };
      const losses = [...Object.keys(phase.weights), "total"].map((loss) =>
        read(lossOf(phase.name, loss), `${phase.name}/${loss}`, `the loss "${loss}"`),
      );
      const norms = phase.trains.map((part) =>
        read(normOf(phase.name, part), `gradient ${phase.name}/${part}`, `the gradient of "${part}"`),
      );
      return [...losses, ...norms];
    });
  }

  async #unlessAborted<T>(batch: Promise<T>): Promise<T> {
    const { signal } = this.#options;
    if (!signal) return batch;
    let stop: (() => void) | undefined;
    const aborted = new Promise<"aborted">((resolve) => {
      stop = () => resolve("aborted");
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop);
    });
    try {
      const first = await Promise.race([batch, aborted]);
      if (first === "aborted") await this.#abort(signal);
      return await batch;
    } finally {
      signal.removeEventListener("abort", stop!);
    }
  }

  // --- after a round ---------------------------------------------------------------------------------------------

  async #settle(): Promise<void> {
    const { validation } = this.#options;
    const validate = validation !== undefined && this.#done % validation.every === 0;
    if (validate) await this.#validate(validation);
    if (validate || this.#done % this.#settings.checkpointEvery === 0) await this.#save(true);
  }

  async #validate(validation: NonNullable<FitOptions["validation"]>): Promise<void> {
    const { name, signal } = this.#options;
    const iteration = this.#done;
    const over = new AbortController();
    const programs = this.#options.programs ?? {};
    let metrics: Record<string, number>;
    try {
      metrics = await validation.measure({
        iteration,
        signal: AbortSignal.any([over.signal, this.#over.signal, ...(signal ? [signal] : [])]),
        weights: async () => weightsIn(await this.weights(), this.#options.parts),
        run: async (program, feeds) => {
          if (over.signal.aborted) throw new PipeError(`${name}: the model was used after its validation had ended.`);
          if (!Object.hasOwn(programs, program))
            throw new PipeError(`${name} has no program "${program}".`, {
              hint: `Its programs: ${Object.keys(programs).join(", ") || "none"}.`,
            });
          return this.#bench.steps.run(lookOf(program), feeds);
        },
      });
    } catch (error) {
      if (!signal?.aborted) throw error;
      // The validation gave way to the abort; whoever resumes repeats it.
      this.#history = { ...this.#history, validationDue: true };
      await this.#abort(signal);
      throw error;
    } finally {
      over.abort();
    }
    const { history, better } = validated(this.#history, validation, { iteration, metrics, name });
    this.#history = { ...history, validationDue: false };
    await this.#bench.log.write({ iteration, validation: metrics, better });
    this.#tell({ event: "validation", name, iteration, metrics, better });
  }

  /** Saves what was done since the last checkpoint and throws the signal's reason. */
  async #abort(signal: AbortSignal): Promise<never> {
    if (this.#done > 0 && this.#last?.iteration !== this.#done) await this.#save(false);
    throw signal.reason;
  }

  async #save(regular: boolean): Promise<void> {
    const { name } = this.#options;
    const { checkpoints, steps, log, config } = this.#bench;
    await log.sync();
    this.#history = { ...this.#history, logBytes: log.bytes, sums: Object.fromEntries(this.#sums) };
    const saved = { iteration: this.#done, state: await steps.read(), history: this.#history };
    this.#last = await checkpoints.save(saved, { regular, name, config });
    this.#tell({ event: "checkpoint", name, iteration: this.#done, path: this.#last.path });
  }

  /** The parts' vectors as they are. */
  weights(): Promise<Record<string, Value>> {
    return this.#bench.steps.read(Object.keys(this.#options.parts).map(vectorOf));
  }

  // --- telling ---------------------------------------------------------------------------------------------------

  /** A line of the log, and one of the timing, and the means begin anew. */
  async #line(): Promise<void> {
    const iteration = this.#done;
    const { losses, gradients } = this.#means();
    const rates = this.#options.phases.flatMap(({ name, every = 1, optimiser: { rate } }) => {
      const updates = Math.floor(iteration / every);
      return updates > 0 ? [[name, rate.at(updates - 1)]] : [];
    });
    await this.#bench.log.write({ iteration, losses, gradients, learningRate: Object.fromEntries(rates) });
    this.#tell({ event: "step", ...this.#standing() });
    const tensors = memory().numTensors;
    await this.#bench.timing.write({
      iteration,
      ...mapped(this.#pace.sinceLine, (n) => Number(n.toPrecision(5))),
      tensors,
      rss: process.memoryUsage.rss(),
      at: new Date().toISOString(),
    });
    this.#pace.next();
    this.#sums.clear();
    this.#watch(tensors);
  }

  /** Tensors that grow from line to line are not freed by somebody; memory would end some hours later. */
  #watch(tensors: number): void {
    this.#tensors.push(tensors);
    if (this.#tensors.length < GROWING) return;
    if (this.#tensors.every((n, i) => i === 0 || n > this.#tensors[i - 1]!))
      this.#tell({
        event: "warning",
        name: this.#options.name,
        iteration: this.#done,
        message: `The number of tensors rises with each line of the log, to ${tensors} now: something does not dispose its own.`,
      });
    this.#tensors = [];
  }

  #means() {
    const means = Array.from(this.#sums, ([key, { sum, count }]) => [key, sum / count] as const);
    const of = (gradient: boolean) =>
      Object.fromEntries(
        means
          .filter(([key]) => key.startsWith("gradient ") === gradient)
          .map(([key, mean]) => [key.replace(/^gradient /, ""), mean]),
      );
    return { losses: of(false), gradients: of(true) };
  }

  #standing() {
    const { name, iterations } = this.#options;
    const { samplesPerSecond, dataWait } = this.#pace.sinceLine;
    const secondsLeft = this.#pace.secondsFor(iterations - this.#done);
    return {
      name,
      iteration: this.#done,
      iterations,
      losses: this.#means().losses,
      samplesPerSecond,
      dataWait,
      secondsLeft,
    };
  }

  #tell(event: FitEvent): void {
    this.#options.progress?.(event);
  }
}

/** Name of a forward program beside the phases' own. */
export const lookOf = (program: string): string => `look/${program}`;

/** Lines in a row that must all show more tensors than the one before. */
const GROWING = 8;

function feedsOf(unit: Unit, batches: readonly Batch[]): Record<string, Value> {
  return Object.fromEntries(
    unit.phases.flatMap(({ name }, i) =>
      Object.entries(batches[i]!.feeds).map(([input, value]) => [feedOf(name, input), value]),
    ),
  );
}

/** Samples in a batch: its ids, or else the first axis of its first feed. */
function sizeOf({ ids, feeds }: Batch): number {
  return ids?.length ?? Object.values(feeds)[0]?.shape[0] ?? 1;
}

function mapped<A, B>(record: Readonly<Record<string, A>>, body: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, body(value)]));
}
