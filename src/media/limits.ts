import { PipeError } from "../errors.ts";

export interface LimitOptions {
  readonly timeout?: number | undefined;
  readonly stall?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Everything that may end a decoding from outside: the caller's signal, the wall clock, and a lack of progress while a frame is
 * wanted. All come as one signal, whatever native code or another process is doing meanwhile. Close it in the end.
 */
export class Limits {
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #wanted = false;

  /** `progress` gives a number that changes whenever something moved. */
  constructor(path: string, { timeout, stall = 60, signal }: LimitOptions, progress: () => number) {
    this.signal = this.#abort.signal;
    this.#outer = signal;
    if (signal?.aborted) this.#abort.abort(signal.reason);
    signal?.addEventListener("abort", this.#forward, { once: true });
    if (timeout !== undefined)
      this.#timers.push(
        setTimeout(() => {
          this.#abort.abort(
            new PipeError(`${path}: decoding took longer than ${timeout} s.`, {
              hint: "Raise timeout for long videos.",
            }),
          );
        }, timeout * 1000),
      );
    let last = progress();
    let since = Date.now();
    const look = (): void => {
      const now = progress();
      if (now !== last || !this.#wanted) {
        last = now;
        since = Date.now();
      } else if (Date.now() - since >= stall * 1000)
        this.#abort.abort(
          new PipeError(`${path}: decoding made no progress for ${stall} s.`, {
            hint: "The file may be on a storage that hangs, or built to keep the decoder busy.",
          }),
        );
    };
    this.#timers.push(setInterval(look, Math.max(10, Math.min(1000, stall * 250))));
  }

  /** Waits for work that ends by itself when the signal comes, counting the time as waiting for a frame. */
  async watch<T>(work: Promise<T>): Promise<T> {
    this.#wanted = true;
    try {
      return await work;
    } finally {
      this.#wanted = false;
    }
  }

  /** Waits for `promise`, or throws the reason of the limit that was passed first. */
  async race<T>(promise: Promise<T>): Promise<T> {
    // Once a limit is passed nobody listens to it any more.
    promise.catch(() => {});
    this.signal.throwIfAborted();
    let stop = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(this.signal.reason);
    });
    this.signal.addEventListener("abort", stop, { once: true });
    this.#wanted = true;
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      this.#wanted = false;
      this.signal.removeEventListener("abort", stop);
    }
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#outer?.removeEventListener("abort", this.#forward);
  }

  readonly #forward = (): void => this.#abort.abort(this.#outer?.reason);
}
