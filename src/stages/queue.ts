import { type AnyRecord, bytesOf } from "../records.ts";

/**
 * The records that wait in front of a stage, bounded in bytes: `push` answers false once they reach the bound, and
 * `onRoom` is called when they fall below it again. Reading never loses a record: an iterator that returns early
 * leaves the rest to `discard`.
 */
export class ByteQueue implements AsyncIterableIterator<AnyRecord> {
  readonly #bound: number;
  readonly #onRoom: () => void;
  #records: AnyRecord[] = [];
  #head = 0;
  #bytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #readers: { resolve(result: IteratorResult<AnyRecord>): void; reject(error: unknown): void }[] = [];
  #waited = 0;
  #waitingSince = 0;

  constructor(bound: number, onRoom: () => void) {
    this.#bound = bound;
    this.#onRoom = onRoom;
  }

  /** Milliseconds that readers spent waiting on an empty queue, up to now. */
  get waited(): number {
    return this.#waited + (this.#readers.length > 0 ? performance.now() - this.#waitingSince : 0);
  }

  /** Takes a record in; false when the bound is reached and no more should come for now. */
  push(record: AnyRecord): boolean {
    if (this.#ended || this.#failure) return true;
    const reader = this.#takeReader();
    if (reader) {
      reader.resolve({ value: record, done: false });
      return true;
    }
    this.#records.push(record);
    this.#bytes += bytesOf(record);
    return this.#bytes < this.#bound;
  }

  /** No more records will come; those waiting are still read. */
  end(): void {
    this.#ended = true;
    for (let reader = this.#takeReader(); reader; reader = this.#takeReader())
      reader.resolve({ value: undefined, done: true });
  }

  /** Nobody wants the rest: what waits, and what still comes, is dropped. */
  discard(): void {
    this.#clear();
    this.end();
    this.#onRoom();
  }

  /** Reading throws from now on, so that a stage never takes a broken input for a finished one. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#clear();
    for (let reader = this.#takeReader(); reader; reader = this.#takeReader()) reader.reject(error);
  }

  next(): Promise<IteratorResult<AnyRecord>> {
    if (this.#failure) return quiet(Promise.reject(this.#failure.error));
    const record = this.#records[this.#head];
    if (record) {
      this.#records[this.#head++] = undefined as unknown as AnyRecord;
      // Amortised: the emptied front is cut off once it outweighs what is left.
      if (this.#head > 32 && this.#head * 2 > this.#records.length) {
        this.#records = this.#records.slice(this.#head);
        this.#head = 0;
      }
      const wasFull = this.#bytes >= this.#bound;
      this.#bytes -= bytesOf(record);
      if (wasFull && this.#bytes < this.#bound) this.#onRoom();
      return Promise.resolve({ value: record, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return quiet(
      new Promise((resolve, reject) => {
        if (this.#readers.length === 0) this.#waitingSince = performance.now();
        this.#readers.push({ resolve, reject });
      }),
    );
  }

  return(): Promise<IteratorResult<AnyRecord>> {
    this.discard();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeReader() {
    const reader = this.#readers.shift();
    if (reader && this.#readers.length === 0) this.#waited += performance.now() - this.#waitingSince;
    return reader;
  }

  #clear(): void {
    this.#records = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

/** A stage that reads ahead may end without looking at what it asked for: that must not end the process. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
