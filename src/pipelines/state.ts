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
    if (!("pts" in record) || record.kind === "window") return;
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

  /** Seconds left: by what the tasks say of themselves, else by bytes; undefined while nothing can be said. */
  get eta(): number | undefined {
    if (!this.counted) return undefined;
    const standings = [...this.current.values()].filter((each) => each !== null);
    if (standings.length > 0) {
      const begun = standings.reduce((sum, { share }) => sum + share, 0);
      const worked = this.ended.done + begun;
      return worked > 0 ? (this.seconds * (this.planned - this.items - begun)) / worked : undefined;
    }
    if (this.bytesDone === 0) return undefined;
    return (this.seconds * this.bytesLeft) / this.bytesDone;
  }

  plan({ action, source }: PlanItem): void {
    this.planned += 1;
    if (action === "run") this.bytesLeft += source.bytes ?? 0;
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
