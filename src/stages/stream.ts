import { Duplex, type DuplexOptions, type Readable } from "node:stream";
import type { AnyRecord, Kind } from "../records.ts";
import { looseContext } from "./context.ts";
import type { BoundStage, Context } from "./define.ts";
import { ByteQueue } from "./queue.ts";

export interface StreamOptions {
  /** Bytes of records that may wait in front of the stage, default 64 MiB; one record always fits. */
  readonly bound?: number;
  /** Sees every record that the stage gives, before it is passed on. */
  readonly tap?: (record: AnyRecord) => void;
}

const BOUND = 64 * 2 ** 20;

/**
 * A stage as a plain object-mode Duplex for `stream.pipeline`; a source's writable side is closed from the start.
 * Bytes in flight before the stage are at most `bound` plus two records (one that crosses the bound, one on the way).
 * Errors destroy the stream with the first error; destroying it, in whatever way, runs the generator's `finally`
 * blocks before 'close'. 'finish' means that the stage is done, not only that it was fed; a stage that gives
 * artifacts runs without a reader, so it may stand last.
 *
 * Without a `context` the stage gets one of its own, closed with the stream; stages of one pipeline that share a
 * source or a ledger are given the same `looseContext()`.
 */
export function toStream<Takes extends Kind | "none", Gives extends Kind>(
  stage: BoundStage<Takes, Gives>,
  context?: Context,
  options: StreamOptions = {},
): StageStream {
  const bound = stage as unknown as BoundStage;
  if (context) return new StageStream(bound, context, options);
  const own = looseContext();
  return new StageStream(bound, own, options, async () => own[Symbol.asyncDispose]());
}

/**
 * Why not `Duplex.from(generator)`: it hands over one record only when the generator asks for it, so two stages never
 * work at the same time, and what it lets wait is counted in objects, whether they hold 1 KB or 100 MB.
 */
export class StageStream extends Duplex {
  readonly #stage: BoundStage;
  readonly #context: Context;
  readonly #tap: ((record: AnyRecord) => void) | undefined;
  readonly #dispose: (() => Promise<void>) | undefined;
  readonly #stop = new AbortController();
  readonly #input: ByteQueue;
  readonly #upstream = new Set<StageStream>();
  readonly #onAbort: () => void;
  #generator: AsyncGenerator<AnyRecord, void, void> | undefined;
  #fed: ((error?: Error | null) => void) | undefined;
  #final: ((error?: Error | null) => void) | undefined;
  #pulling = false;
  #stopping = false;
  #done = false;
  #busy = 0;

  constructor(stage: BoundStage, context: Context, options: StreamOptions, dispose?: () => Promise<void>) {
    const duplex = { objectMode: true, readableHighWaterMark: 1, writableHighWaterMark: 1 };
    super(stage.stage.takes === "none" ? ({ ...duplex, writable: false } as DuplexOptions) : duplex);
    this.#stage = stage;
    this.#context = context;
    this.#tap = options.tap;
    this.#dispose = dispose;
    this.#input = new ByteQueue(options.bound ?? BOUND, () => this.#release());
    if (stage.stage.takes === "none") this.#input.end();
    this.on("pipe", (from: Readable) => from instanceof StageStream && this.#upstream.add(from));
    this.on("unpipe", (from: Readable) => from instanceof StageStream && this.#upstream.delete(from));
    this.#onAbort = () => this.destroy(asError(context.signal.reason));
    if (context.signal.aborted) this.#onAbort();
    else context.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Seconds spent inside the stage so far: not waiting for input, nor for room in the queue after it. */
  get busySeconds(): number {
    return this.#busy / 1000;
  }

  override _write(record: AnyRecord, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#input.push(record)) callback();
    else this.#fed = callback;
    this.#pullIfSink();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#input.end();
    if (this.#done) callback();
    else this.#final = callback;
    this.#pullIfSink();
  }

  override _read(): void {
    void this.#pull();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#context.signal.removeEventListener("abort", this.#onAbort);
    const why = error ?? new DOMException("The stream was closed before its end.", "AbortError");
    if (!this.#done) {
      this.#stop.abort(why);
      this.#input.fail(why);
      this.#release(why);
    }
    this.#close().then(
      () => callback(error),
      (failure: unknown) => callback(error ?? asError(failure)),
    );
  }

  /** Ends the stage early, as a `break` in the loop over a generator does; used by a stage that wants no more. */
  stop(): void {
    if (this.#stopping || this.#done || this.destroyed) return;
    this.#stopping = true;
    if (!this.#pulling) void this.#pull();
  }

  async #pull(): Promise<void> {
    if (this.#pulling || this.#done || this.destroyed) return;
    this.#pulling = true;
    try {
      this.#generator ??= this.#stage.run(this.#stageContext())(this.#input as AsyncIterable<never>);
      const from = performance.now() - this.#input.waited;
      const next = this.#stopping ? await this.#generator.return() : await this.#generator.next();
      this.#busy += performance.now() - this.#input.waited - from;
      this.#pulling = false;
      if (this.destroyed) return;
      if (next.done) return this.#finish();
      if (this.#stopping) return void this.#pull();
      this.#tap?.(next.value);
      this.push(next.value);
      this.#pullIfSink();
    } catch (error) {
      this.#pulling = false;
      this.destroy(asError(error));
    }
  }

  #finish(): void {
    this.#done = true;
    this.#input.discard();
    for (const stream of this.#upstream) stream.stop();
    this.push(null);
    this.#close().then(
      () => this.#final?.(),
      (error: unknown) => this.destroy(asError(error)),
    );
  }

  /** A sink gives a handful of small artifacts, if any: waiting for somebody to read them would stop the work. */
  #pullIfSink(): void {
    if (this.#stage.stage.gives === "artifact") void this.#pull();
  }

  #release(error?: Error): void {
    const fed = this.#fed;
    this.#fed = undefined;
    fed?.(error);
  }

  #stageContext(): Context {
    return Object.create(this.#context, { signal: { value: this.#stop.signal, enumerable: true } }) as Context;
  }

  async #close(): Promise<void> {
    try {
      await this.#generator?.return();
    } finally {
      await this.#dispose?.();
    }
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
