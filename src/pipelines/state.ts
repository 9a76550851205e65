import type { AnyRecord } from "../records.ts";
import type { PlanItem } from "./plan.ts";
import type { Outcome } from "./task.ts";

/** How far one task is, as it says itself. */
export interface Standing {
  /** 0..1. */
  readonly share: number;
  readonly words: string;
}

/** First and last pts, microseconds. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/** Records that a source gave since it was asked last, and the time that all of its records span. */
export interface Seen {
  readonly records: number;
  readonly span: Span | null;
}

/** Counts what a source gives. */
export class Seeing {
  #records = 0;
  #span: Span | null = null;

  add(record: AnyRecord): void {
    this.#records += 1;
    // What was cached or cut out before is not played again, whatever times it has.
    if (record.kind !== "frame") return;
    const { pts } = record;
    const { first, last } = this.#span ?? { first: pts, last: pts };
    this.#span = { first: Math.min(first, pts), last: Math.max(last, pts) };
  }

  /** What there was since the last call. */
  take(): Seen {
    const seen = { records: this.#records, span: this.#span };
    this.#records = 0;
    return seen;
  }
}

/** Where a run stands: kept by the runner, read by whoever shows progress. */
export class RunState {
  readonly pipeline: string;
  /** `performance.now()` when the run began. */
  readonly startedAt = performance.now();
  /** Sources found so far; all of them once `counted`. */
  planned = 0;
  counted = false;
  readonly ended: Record<Outcome["status"], number> = { done: 0, cached: 0, failed: 0, partial: 0, stopped: 0 };
  /** Bytes of the sources that were worked on to their end, and of those still to be. */
  bytesDone = 0;
  bytesLeft = 0;
  /** Names of the sources being worked on, with what they last said of how far they are. */
  readonly current = new Map<string, Standing | null>();
  /** Of those, what they said first: a training that goes on begins at more than nothing. */
  readonly #first = new Map<string, { readonly share: number; readonly at: number }>();
  readonly #bytes = new Map<string, number>();
  /** Records that the sources gave. */
  frames = 0;
  #mediaDone = 0;
  readonly #spans = new Map<string, Span>();
  readonly #seeing = new Map<string, Seeing>();

  constructor(pipeline: string) {
    this.pipeline = pipeline;
  }

  get items(): number {
    return Object.values(this.ended).reduce((sum, n) => sum + n, 0);
  }

  get seconds(): number {
    return (performance.now() - this.startedAt) / 1000;
  }

  /** Seconds of media worked through, from pts. */
  get mediaSeconds(): number {
    let micros = this.#mediaDone;
    for (const { first, last } of this.#spans.values()) micros += last - first;
    return micros / 1e6;
  }

  /** Seconds left, by bytes and by what the tasks say of themselves; undefined while nothing can be said. */
  get eta(): number | undefined {
    if (!this.counted) return undefined;
    let [worked, left] = [this.bytesDone, this.bytesLeft];
    for (const [name, standing] of this.current) {
      const [bytes, share] = [this.#bytes.get(name) ?? 0, standing?.share ?? 0];
      worked += bytes * (share - (this.#first.get(name)?.share ?? 0));
      left -= bytes * share;
    }
    return worked > 0 ? (this.seconds * left) / worked : undefined;
  }

  /** A task says how far it is. */
  stands(name: string, standing: Standing): void {
    if (!this.#first.has(name)) this.#first.set(name, { share: standing.share, at: this.seconds });
    this.current.set(name, standing);
  }

  /** Seconds that a task still needs, by what it said first and last; undefined while nothing can be said. */
  secondsLeftOf(name: string): number | undefined {
    const [first, last] = [this.#first.get(name), this.current.get(name)];
    if (!first || !last || last.share <= first.share) return undefined;
    return ((this.seconds - first.at) * (1 - last.share)) / (last.share - first.share);
  }

  plan({ action, source }: PlanItem): void {
    this.planned += 1;
    if (action !== "run") return;
    this.bytesLeft += source.bytes ?? 0;
    this.#bytes.set(source.name, source.bytes ?? 0);
  }

  /** The source with this path gave a record. */
  saw(source: string, record: AnyRecord): void {
    const seeing = this.#seeing.get(source) ?? new Seeing();
    this.#seeing.set(source, seeing);
    seeing.add(record);
    this.heard(source, seeing.take());
  }

  /** The same of several records, told by another process. */
  heard(source: string, { records, span }: Seen): void {
    this.frames += records;
    if (span) this.#spans.set(source, span);
  }

  end({ action, source }: PlanItem, outcome: Outcome): void {
    this.ended[outcome.status] += 1;
    this.current.delete(source.name);
    this.#first.delete(source.name);
    const span = this.#spans.get(source.path);
    if (span) this.#mediaDone += span.last - span.first;
    this.#spans.delete(source.path);
    this.#seeing.delete(source.path);
    if (action !== "run") return;
    this.bytesLeft -= source.bytes ?? 0;
    this.bytesDone += source.bytes ?? 0;
  }
}

/** Shows how a run goes. */
export interface Progress {
  begin(state: RunState): void;
  /** One source came to its end. */
  item(item: PlanItem, outcome: Outcome): void;
  note(message: string): void;
  end(): void;
}
