import type { RawFrame } from "./ffmpeg-stream.ts";

/**
 * Finds the first packet that gave no frame, frame by frame, and lets only those frames through that a decoder had given
 * before it met that packet: when packet k (from 0, in decoding order) is refused, the k - delay frames before it are out, `delay` being the
 * depth of the decoder's reordering. ffmpeg itself goes on after a packet that it cannot decode, with pictures that lean on
 * the missing one.
 *
 * Frames wait here until it is certain, by the times of the packets around them, that they may pass; never longer than about
 * twice `delay`.
 */
export class Gate {
  readonly #packets: readonly (number | null)[];
  readonly #delay: number;
  readonly #held: RawFrame[] = [];
  readonly #seen = new Set<number>();
  #due: number[] | undefined;
  #checked = 0;
  #latest = Number.NEGATIVE_INFINITY;
  #passed = 0;

  constructor(packets: readonly (number | null)[], delay: number) {
    this.#packets = packets;
    this.#delay = delay;
  }

  /** Takes the next frame (undefined: there is none) and gives those that may pass; `hole` when a packet is missing. */
  push(frame: RawFrame | undefined): { frames: RawFrame[]; hole: boolean } {
    if (frame) {
      this.#due ??= this.#packets.filter((pts): pts is number => pts !== null && pts >= frame.pts);
      this.#held.push(frame);
      this.#seen.add(frame.pts);
      this.#latest = frame.pts;
    }
    const due = this.#due ?? [];
    const frames: RawFrame[] = [];
    while (this.#held.length > 0) {
      const reach = Math.min(due.length, this.#passed + 1 + this.#delay);
      for (; this.#checked < reach; this.#checked++) {
        const pts = due[this.#checked]!;
        if (this.#seen.has(pts)) continue;
        if (pts < this.#latest || !frame) return { frames, hole: true };
        return { frames, hole: false };
      }
      frames.push(this.#held.shift()!);
      this.#passed++;
    }
    return { frames, hole: false };
  }

  /** Everything that still waits, when the hole turned out to be none. */
  open(): RawFrame[] {
    return this.#held.splice(0);
  }
}
