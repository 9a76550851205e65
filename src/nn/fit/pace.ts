/** Where the time goes. Seconds by the monotonic clock; none of it may stand in what runs are compared by. */
export class Pace {
  readonly #begin = performance.now();
  #line = this.#begin;
  #waited = 0;
  #ran = 0;
  #samples = 0;
  #iterations = 0;

  /** Time spent waiting for a batch. */
  async wait<T>(batch: Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      return await batch;
    } finally {
      this.#waited += performance.now() - from;
    }
  }

  /** Time spent in steps of so many samples. */
  async run<T>(step: Promise<T>, samples: number): Promise<T> {
    const from = performance.now();
    try {
      return await step;
    } finally {
      this.#ran += performance.now() - from;
      this.#samples += samples;
    }
  }

  done(iterations: number): void {
    this.#iterations += iterations;
  }

  /** Seconds that so many iterations will take at the speed so far, validations and checkpoints included. */
  secondsFor(iterations: number): number | null {
    if (this.#iterations === 0) return null;
    return ((performance.now() - this.#begin) / 1000 / this.#iterations) * iterations;
  }

  /** Since the last `next`. Shares of the time that passed, 0..1; what is left went into validation and files. */
  get sinceLine() {
    const seconds = Math.max(performance.now() - this.#line, 1e-3) / 1000;
    return {
      seconds,
      samples: this.#samples,
      samplesPerSecond: this.#samples / seconds,
      dataWait: Math.min(1, this.#waited / 1000 / seconds),
      stepShare: Math.min(1, this.#ran / 1000 / seconds),
    };
  }

  next(): void {
    this.#line = performance.now();
    this.#waited = 0;
    this.#ran = 0;
    this.#samples = 0;
  }
}
