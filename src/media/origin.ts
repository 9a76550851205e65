/** Frames to decode at the beginning, to see whether packets tell how many there are. */
export const TRIAL = 8;

/**
 * Counts a stream's frames by its packets, so that nothing before a part of it needs decoding. That is exact where each
 * packet gives one frame at a time of its own; elsewhere (a packet for each field, streams joined end to end) it does not
 * agree with what is decoded, and decoding has to begin with the first packet.
 */
export class FrameCount {
  readonly #times: Float64Array;
  readonly #countable: boolean;

  /** @param packets pts (µs; null where there is none) of each packet that gives a frame, in decoding order */
  constructor(packets: readonly (number | null)[]) {
    const order = packets
      .flatMap((pts, place) => (pts === null ? [] : [{ pts, place }]))
      .sort((a, b) => a.pts - b.pts || a.place - b.place);
    this.#times = Float64Array.from(order, ({ pts }) => pts);
    this.#countable =
      order.length === packets.length &&
      order.every(({ pts, place }, i) => Math.abs(place - i) <= REORDERED && (i === 0 || pts > order[i - 1]!.pts));
  }

  /** The first few frames, `shown` at these pts, are as many as packets tell. */
  agrees(shown: readonly number[]): boolean {
    const [first, last] = [shown[0], shown.at(-1)];
    return this.#countable && first !== undefined && this.between(first, last!) === shown.length - 1;
  }

  /** Frames with from <= pts < to. */
  between(from: number, to: number): number {
    return this.#times.reduce((n, pts) => (pts >= from && pts < to ? n + 1 : n), 0);
  }
}

/** Places by which a packet may be off its turn to be shown: codecs reorder 16 frames at most. */
const REORDERED = 32;
