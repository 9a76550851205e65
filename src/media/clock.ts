/** A fraction of integers, `den` > 0. */
export interface Rational {
  readonly num: number;
  readonly den: number;
}

/** Ticks of a time base as integer microseconds, exactly, half a microsecond rounded away from zero. */
export function toMicros(ticks: bigint, base: Rational): number {
  const num = ticks * BigInt(base.num) * 1_000_000n;
  const den = BigInt(base.den);
  const half = (2n * (num < 0n ? -num : num) + den) / (2n * den);
  return Number(num < 0n ? -half : half);
}

/**
 * Gives each decoded frame its pts. Timestamps rise strictly: one that is missing becomes the one before plus the frame's
 * duration (1 µs where that is unknown), one that repeats or goes back becomes the one before plus 1 µs.
 */
export class Clock {
  readonly #rate: number | undefined;
  #last: number | undefined;
  #count = 0;

  /** `rate`: frames a second of a stream that has no times of its own; what it seems to give is then left alone. */
  constructor(rate?: number) {
    this.#rate = rate;
  }

  next(pts: number | null, duration: number): number {
    if (this.#rate !== undefined) return Math.round((this.#count++ * 1e6) / this.#rate);
    const guess = this.#last === undefined ? 0 : this.#last + Math.max(1, duration);
    const wanted = pts ?? guess;
    const given = this.#last !== undefined && wanted <= this.#last ? this.#last + 1 : wanted;
    this.#last = given;
    return given;
  }
}

export interface Sampling {
  readonly fps?: number | undefined;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/**
 * Says of each decoded frame, in order, whether it is wanted. Frames with start <= pts < end are in range; with `fps`, only the
 * first frame is wanted whose floor((pts - first) * fps / 10^6) differs from that of the frame before, `first` being the
 * first pts in range. After "end" nothing more is wanted.
 */
export class Sampler {
  readonly #fps: number | undefined;
  readonly #start: number;
  readonly #end: number;
  #first: number | undefined;
  #interval = -1;

  constructor({ fps, start, end }: Sampling) {
    this.#fps = fps;
    this.#start = start === undefined ? Number.NEGATIVE_INFINITY : Math.round(start * 1e6);
    this.#end = end === undefined ? Number.POSITIVE_INFINITY : Math.round(end * 1e6);
  }

  see(pts: number): "sample" | "skip" | "end" {
    if (pts >= this.#end) return "end";
    if (pts < this.#start) return "skip";
    this.#first ??= pts;
    if (this.#fps === undefined) return "sample";
    const interval = Math.floor(((pts - this.#first) * this.#fps) / 1e6);
    if (interval === this.#interval) return "skip";
    this.#interval = interval;
    return "sample";
  }
}
