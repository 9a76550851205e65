import { setImmediate } from "node:timers/promises";
import { memory } from "@tensorflow/tfjs-core";
import type { Steps, Value } from "../../compile/index.ts";
import type { Json } from "../../digest.ts";
import { PipeError, reasonOf } from "../../errors.ts";
import { Ahead } from "./ahead.ts";
import type { Checkpoints, Place } from "./checkpoints.ts";
import { withDefaults } from "./config.ts";
import { exhausted, type History, validated } from "./history.ts";
import { Means, type Reading } from "./means.ts";
import { Pace } from "./pace.ts";
import { vectorOf, weightsIn } from "./programs.ts";
import type { RunLog } from "./run-log.ts";
import { runPhase, samplesIn } from "./run-phase.ts";
import { type Round, roundAfter } from "./schedule.ts";
import { TensorWatch } from "./tensor-watch.ts";
import type { Batch, FitEvent, FitOptions, Phase } from "./types.ts";

/** What a trainer works with; whoever opened these closes them. */
export interface Bench {
  readonly steps: Steps<string>;
  readonly checkpoints: Checkpoints;
  readonly log: RunLog;
  readonly timing: RunLog;
  readonly config: Json;
}

/** The loop: rounds of steps, and after each round what is due: validation, checkpoint. */
export class Trainer {
  readonly #options: FitOptions;
  readonly #bench: Bench;
  readonly #settings: ReturnType<typeof withDefaults>;
  readonly #pace = new Pace();
  readonly #watch = new TensorWatch();
  readonly #means: Means;
  /** Fires when no batch and no validation is needed any more. */
  readonly #over = new AbortController();
  #done: number;
  #history: History;
  #last: Place | undefined;

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
    this.#means = new Means(from.history.sums);
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
        // An engine of this thread never waits: signals, timers and batches need a turn, too.
        await setImmediate();
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
    const { phases, validation, iterations } = this.#options;
    const pause = (i: number) =>
      i === iterations || i % checkpointEvery === 0 || (validation !== undefined && i % validation.every === 0);
    return roundAfter(done, phases, { stepsPerRun, pause });
  }

  #batches(): Ahead<[number, Phase], Batch> {
    const { name, batch, batchesAhead, iterations } = this.#options;
    const trainer = this;
    function* orders(): Generator<[number, Phase]> {
      for (let done = trainer.#done; done < iterations; ) {
        const { to, runs } = trainer.#roundAfter(done);
        for (const { phase, iterations } of runs) for (const iteration of iterations) yield [iteration, phase];
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
    return new Ahead(orders(), make, batchesAhead ?? 2 * this.#settings.stepsPerRun);
  }

  async #round(batches: Ahead<[number, Phase], Batch>): Promise<void> {
    const round = this.#roundAfter(this.#done);
    const readings = Array.from({ length: round.to - round.from + 1 }, (): Reading[] => []);
    let begun = false;
    for (const run of round.runs) {
      const taken: Batch[] = [];
      for (const _ of run.iterations) taken.push(await this.#pace.wait(this.#unlessAborted(batches.take(), begun)));
      begun = true;
      const about = { fit: this.#options.name, last: this.#last };
      const made = await this.#pace.run(runPhase(this.#bench.steps, run, taken, about), samplesIn(taken));
      for (const [iteration, numbers] of made) readings[iteration - round.from]!.push(...numbers);
    }
    for (let iteration = round.from; iteration <= round.to; iteration++) {
      for (const reading of readings[iteration - round.from]!) this.#means.add(reading);
      this.#done = iteration;
      this.#pace.done(1);
      if (iteration % this.#settings.logEvery === 0) await this.#line();
      else this.#tell({ event: "step", ...this.#standing() });
    }
  }

  /**
   * A batch, or else the abort. Data need not be waited for then; but a round that was begun is finished, since it is
   * saved whole or not at all, and one whose batches end with the abort is lost.
   */
  async #unlessAborted<T>(batch: Promise<T>, begun: boolean): Promise<T> {
    const { signal } = this.#options;
    if (!signal) return batch;
    let stop = () => {};
    const aborted = new Promise<typeof ABORTED>((resolve) => {
      stop = () => resolve(ABORTED);
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop);
    });
    let first: T | typeof ABORTED;
    try {
      first = begun ? await batch : await Promise.race([batch, aborted]);
    } catch (error) {
      if (!signal.aborted) throw error;
      if (begun) throw signal.reason;
      first = ABORTED;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return first === ABORTED ? this.#abort(signal) : first;
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
    this.#history = { ...this.#history, logBytes: log.bytes, sums: this.#means.toJSON() };
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
    const [losses, gradients] = [this.#means.of("loss"), this.#means.of("gradient")];
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
    this.#means.clear();
    const message = this.#watch.look(tensors);
    if (message !== null) this.#tell({ event: "warning", name: this.#options.name, iteration, message });
  }

  #standing() {
    const { name, iterations } = this.#options;
    const { samplesPerSecond, dataWait } = this.#pace.sinceLine;
    const secondsLeft = this.#pace.secondsFor(iterations - this.#done);
    return {
      name,
      iteration: this.#done,
      iterations,
      losses: this.#means.of("loss"),
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

const ABORTED = Symbol("aborted");

function mapped<A, B>(record: Readonly<Record<string, A>>, body: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, body(value)]));
}
