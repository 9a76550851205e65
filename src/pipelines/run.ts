import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { TempFolder } from "../cache/temp.ts";
import { digestFile } from "../digest.ts";
import { diskError, makeFolder } from "../disk.ts";
import { clock } from "../duration.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { Ledger } from "../ledger.ts";
import { SharedPool } from "../stages/context.ts";
import type { Cached, Stages } from "../stages/define.ts";
import type { BoundPipeline } from "./bind.ts";
import { partsOf } from "./key.ts";
import { outputOf } from "./output.ts";
import { versions } from "./package.ts";
import { cachedFor, once, type Planned, plan, type Task } from "./plan.ts";
import { makeReport, type Report, type ReportItem, reportItem, writeReport } from "./report.ts";
import { type Progress, RunState, type Seen } from "./state.ts";
import { type Outcome, runTask, type TaskTools } from "./task.ts";
import { News, type WatchOptions } from "./watch.ts";

export interface RunOptions {
  readonly stages: Stages;
  /** Sources worked on at once, default 1. */
  readonly jobs?: number;
  /** At most this many sources. */
  readonly limit?: number;
  /** Work on what is cached, too. A sink may keep what is published and intact: the same key means the same bytes. */
  readonly force?: boolean;
  /** Once aborted, nothing new is begun; what is in flight finishes and is published, or is saved to continue later. */
  readonly drain?: AbortSignal;
  /** Once aborted, everything stops and nothing unfinished is published. */
  readonly stop?: AbortSignal;
  /** sha256 of a file, given the output folder; default: reads it. */
  readonly digest?: (output: string) => Promise<(path: string, signal: AbortSignal) => Promise<string>>;
  readonly progress?: Progress;
  /** Does a task elsewhere than in this process; default: here. */
  readonly perform?: Perform;
  /** Keep looking for new sources until `drain` or `stop` aborts. */
  readonly watch?: WatchOptions;
}

/** Does one task, and never rejects. `tools` hear how it goes on. */
export type Perform = (task: Task, tools: PerformTools) => Promise<Outcome>;

export interface PerformTools extends Pick<TaskTools, "signal" | "drain" | "note"> {
  standing(share: number, words: string): void;
  /** What the task's source gave since the last call. */
  heard(seen: Seen): void;
}

export interface RunResult {
  readonly report: Report;
  /** The outcomes behind the report's items, in the same order. */
  readonly outcomes: readonly Outcome[];
  /** Absolute path of the folder that holds what was made, and report.json. */
  readonly output: string;
  /** 0 all done, 2 some items failed or partial, 130 interrupted. */
  readonly exitCode: 0 | 2 | 130;
}

/**
 * Runs a bound pipeline over its sources. Whatever happens, shared resources are closed and report.json is written
 * into the sink's output folder. A bad item is recorded and the rest goes on.
 *
 * @throws PipeError when the output cannot be written, a model cannot be read, or there is nothing to work on.
 */
export async function run(pipeline: BoundPipeline, options: RunOptions): Promise<RunResult> {
  return new Run(pipeline, options).run();
}

class Run {
  readonly #pipeline: BoundPipeline;
  readonly #options: RunOptions;
  readonly #output: string;
  readonly #state: RunState;
  readonly #startedAt = new Date().toISOString();
  readonly #drain = new AbortController();
  readonly #stop = new AbortController();
  readonly #planning = new AbortController();
  readonly #found: Planned[] = [];
  readonly #ended: { item: ReportItem; outcome: Outcome }[] = [];
  readonly #byKey = new Map<string, Promise<unknown>>();
  #next = 0;
  /** All sources were found. */
  #planned = false;
  /** The sources could not be told to their end. */
  #broken = false;
  #wake: () => void = () => {};

  constructor(pipeline: BoundPipeline, options: RunOptions) {
    this.#pipeline = pipeline;
    this.#options = options;
    this.#output = outputOf(pipeline, options.stages);
    this.#state = new RunState(pipeline.name);
    // Every stage of every task in flight listens to them.
    setMaxListeners(0, this.#drain.signal, this.#stop.signal);
  }

  async run(): Promise<RunResult> {
    const { jobs = 1, drain, stop, progress } = this.#options;
    await prepare(this.#output);
    const unlink = [
      link(drain, this.#planning),
      link(drain, this.#drain),
      link(stop, this.#planning),
      link(stop, this.#stop),
    ];
    progress?.begin(this.#state);
    const foretell = () => this.#foretell();
    drain?.addEventListener("abort", foretell, { once: true });
    const pool = new SharedPool();
    let failure: { error: unknown } | undefined;
    try {
      const workers = Array.from({ length: Math.max(1, jobs) }, () => this.#work(pool));
      const settled = await Promise.allSettled([this.#plan(), ...workers]);
      for (const each of settled) if (each.status === "rejected") failure ??= { error: each.reason };
    } finally {
      for (const each of unlink) each();
      drain?.removeEventListener("abort", foretell);
      await pool[Symbol.asyncDispose]().catch((error) => progress?.note(`Closing failed: ${reasonOf(error)}`));
      progress?.end();
    }
    const { report, written } = await this.#tell();
    if (failure) throw failure.error;
    const { failed, partial, items, stopped, notStarted } = report.totals;
    if (items === 0 && !this.#interrupted)
      throw new PipeError(`${this.#pipeline.name} found nothing to work on.`, { hint: "Look at what --input names." });
    // Watching has no other end than an interrupt: what matters is whether something was left undone.
    const interrupted = this.#options.watch ? stopped + notStarted > 0 : this.#interrupted;
    return {
      report,
      outcomes: this.#finished.map(({ outcome }) => outcome),
      output: this.#output,
      exitCode: interrupted ? 130 : failed + partial > 0 || !written ? 2 : 0,
    };
  }

  /** Writes report.json and what the sink makes over all that is published. */
  async #tell(): Promise<{ report: Report; written: boolean }> {
    const report = this.#report();
    const { stage, options } = this.#pipeline.steps.at(-1)!;
    const items = this.#finished.map(({ item: { source, status, reason } }) => ({ source, status, reason }));
    const told = await Promise.allSettled([
      writeReport(this.#output, report),
      items.length > 0 ? this.#options.stages[stage]?.finish?.(options, items) : undefined,
    ]);
    for (const each of told) {
      if (each.status === "fulfilled") continue;
      if (!(each.reason instanceof PipeError)) throw each.reason;
      // A full disk must not hide what became of the items.
      this.#options.progress?.note(each.reason.message);
    }
    return { report, written: told.every(({ status }) => status === "fulfilled") };
  }

  /** Says how long what is in flight will take to its end, where it is not saved before. */
  #foretell(): void {
    const { stages, progress, stop } = this.#options;
    if (stop?.aborted || this.#pipeline.steps.some(({ stage }) => stages[stage]?.saves)) return;
    for (const [name, standing] of this.#state.current) {
      const left = this.#state.secondsLeftOf(name);
      if (standing !== null && left !== undefined)
        progress?.note(
          `${name}: ${standing.words}, about ${clock(left)} to its end. Stopped at once, nothing of it is kept.`,
        );
    }
  }

  get #interrupted(): boolean {
    return this.#options.stop?.aborted === true || this.#options.drain?.aborted === true;
  }

  /** Finds out what there is to do while the first tasks are already being done. */
  async #plan(): Promise<void> {
    const { stages, limit, force, digest } = this.#options;
    const signal = this.#planning.signal;
    const sha256 = await digest?.(this.#output);
    try {
      const digest = sha256 ? (path: string) => sha256(path, signal) : (path: string) => digestFile(path, signal);
      const note = once((message) => this.#options.progress?.note(message));
      // Once a run: models are opened once, and keys must be those of the models that are open.
      const parts = await partsOf(this.#pipeline.steps, stages);
      const look = (digest: (path: string) => Promise<string>) =>
        plan(this.#pipeline, {
          stages,
          parts,
          signal,
          ...(limit !== undefined && { limit }),
          ...(force !== undefined && { force }),
          digest,
          note,
        });
      if (this.#options.watch) await this.#watch(look, digest, this.#options.watch, signal);
      else for await (const each of look(digest)) this.#add(each);
    } catch (error) {
      if (signal.aborted) return;
      // What was asked for is wrong: that is told once what is in flight is done, not after hours of other work.
      this.#broken = true;
      throw error;
    } finally {
      this.#state.counted = true;
      this.#planned = true;
      this.#wake();
    }
  }

  #add(planned: Planned): void {
    const { source, why, replaces } = planned.item;
    if (replaces === "other")
      throw new PipeError(`${this.#output} holds another result for ${source.name}: ${why}.`, {
        hint: "Give this one a folder of its own: --output DIR; or have it take the other's place: --force",
      });
    if (replaces === "newer") this.#options.progress?.note(`${source.name}: its result is replaced: ${why}.`);
    this.#found.push(planned);
    this.#state.plan(planned.item);
    this.#wake();
  }

  /** Round after round: what is new and finished is worked on, and then told of. */
  async #watch(
    look: (digest: (path: string) => Promise<string>) => AsyncIterable<Planned>,
    digest: (path: string) => Promise<string>,
    { every, steady }: WatchOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const news = new News(digest, steady);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    for (;;) {
      const before = this.#found.length;
      try {
        for await (const each of look((path) => news.digest(path))) if (await news.isNew(each)) this.#add(each);
      } catch (error) {
        // A folder that was there when watching began may come back.
        if (signal.aborted || before === 0 || !(error instanceof PipeError)) throw error;
        this.#options.progress?.note(error.message);
      }
      this.#state.counted = true;
      while (this.#state.items < this.#found.length && !signal.aborted) await this.#more();
      signal.throwIfAborted();
      if (this.#found.length > before) await this.#tell();
      await sleep(every, undefined, { signal });
    }
  }

  async #work(pool: SharedPool): Promise<void> {
    while (!this.#interrupted && !this.#broken) {
      const at = this.#next;
      const planned = this.#found[at];
      if (planned) {
        this.#next += 1;
        await this.#do(at, planned, pool);
      } else if (this.#planned) return;
      else await this.#more();
    }
  }

  async #do(at: number, { item, task, cached }: Planned, pool: SharedPool): Promise<void> {
    const { progress } = this.#options;
    let outcome: Outcome;
    if (!task) outcome = refused(item.why);
    else if (cached) outcome = fromCache(cached);
    else {
      this.#state.current.set(item.source.name, null);
      outcome = await this.#once(task, pool);
    }
    this.#ended[at] = { item: reportItem(item, outcome), outcome };
    this.#state.end(item, outcome);
    progress?.item(item, outcome);
    this.#wake();
    if (outcome.error !== undefined && !(outcome.error instanceof PipeError))
      progress?.note(`${item.source.name}: this is a bug: ${(outcome.error as Error).stack ?? outcome.error}`);
  }

  /** Two sources of the same bytes have the same key: the second waits for the first and finds its work done. */
  async #once(task: Task, pool: SharedPool): Promise<Outcome> {
    const { stages, progress, perform } = this.#options;
    const key = task.steps.at(-1)!.key;
    const before = this.#byKey.get(key);
    const mine = (async () => {
      await before;
      const cached = before && (await cachedFor(task, stages).catch(() => undefined));
      if (cached) return fromCache(cached);
      const tools = {
        signal: this.#stop.signal,
        drain: this.#drain.signal,
        note: (message: string) => progress?.note(message),
        standing: (share: number, words: string) => this.#state.stands(task.source.name, { share, words }),
      };
      if (perform) return perform(task, { ...tools, heard: (seen) => this.#state.heard(task.source.path, seen) });
      return runTask(task, {
        ...tools,
        stages,
        pool,
        tap: (record, step) => {
          if (step === 0) this.#state.saw(task.source.path, record);
        },
      });
    })();
    this.#byKey.set(key, mine);
    return mine;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#wake;
      this.#wake = () => {
        this.#wake = () => {};
        others();
        resolve();
      };
    });
  }

  /** What has come to its end, in the order in which it was found. */
  get #finished(): readonly { item: ReportItem; outcome: Outcome }[] {
    const ended = this.#ended.filter((each) => each !== undefined);
    if (!this.#options.watch) return ended;
    // A copy that paused was cut off when it was first looked at: what counts is what came of it in the end.
    const last = new Map(ended.map((each, i) => [each.item.source.path, i]));
    return ended.filter(({ item }, i) => last.get(item.source.path) === i || WELL.has(item.status));
  }

  #report(): Report {
    const ended = this.#finished;
    return makeReport(
      {
        pipeline: this.#pipeline.name,
        params: this.#pipeline.params as Report["params"],
        startedAt: this.#startedAt,
        seconds: Math.round(this.#state.seconds * 1e3) / 1e3,
        versions: versions(),
      },
      ended.map(({ item }) => item),
      { notStarted: this.#found.length - this.#state.items, interrupted: this.#interrupted },
    );
  }
}

const WELL: ReadonlySet<ReportItem["status"]> = new Set(["done", "cached"]);

/** Aborts the second when the first aborts, until the function that it returns is called. */
function link(signal: AbortSignal | undefined, controller: AbortController): () => void {
  const abort = () => controller.abort();
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}

/** An output that cannot be written ends the run before hours of work: permissions alone do not say so (/proc, root). */
async function prepare(output: string): Promise<void> {
  await makeFolder(output).catch((error) => {
    throw diskError(error, output);
  });
  await using _ = await TempFolder.make(output);
}

function refused(reason: string): Outcome {
  const { counts } = new Ledger();
  return { status: "failed", reason, verdict: null, counts, seconds: 0, stages: {}, facts: {}, artifacts: [] };
}

function fromCache({ artifact, counts, verdict, detail, facts }: Cached): Outcome {
  const whole = verdict === "complete";
  return {
    status: whole ? "cached" : "partial",
    ...(!whole && { reason: detail ?? `The input is ${verdict}.` }),
    verdict,
    counts,
    seconds: 0,
    stages: {},
    facts,
    artifacts: [artifact.path],
  };
}
