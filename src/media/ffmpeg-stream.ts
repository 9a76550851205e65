import { Writable } from "node:stream";
import { toMicros } from "./clock.ts";

export interface RawFrame {
  readonly pts: number;
  readonly data: Uint8Array;
}

/**
 * Takes ffmpeg's stdout: for each frame a line of its `framecrc` muxer ("stream, dts, pts, duration, size, crc") and then `size` bytes of
 * pixels, so that every frame comes with its own time. Holds ffmpeg back (by the pipe) when more than `budget` bytes wait.
 */
export class FrameSink extends Writable {
  /** Counts every byte that came. */
  progress = 0;
  readonly #budget: number;
  readonly #frames: RawFrame[] = [];
  #line: Buffer = Buffer.alloc(0);
  #base = { num: 1, den: 1_000_000 };
  #current: { pts: number; data: Uint8Array; filled: number } | undefined;
  #waiting = 0;
  #resume: (() => void) | undefined;
  #done = false;
  #wake = (): void => {};

  constructor(budget: number) {
    // fluent-ffmpeg takes the end of its target for a failure when ffmpeg's exit is seen a little later.
    super({ autoDestroy: false, emitClose: false, highWaterMark: 1 << 20 });
    this.#budget = budget;
  }

  /** The next frame; undefined after the last. */
  async next(): Promise<RawFrame | undefined> {
    while (this.#frames.length === 0 && !this.#done)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const frame = this.#frames.shift();
    this.#waiting -= frame?.data.byteLength ?? 0;
    if (this.#waiting < this.#budget) this.#resume?.();
    return frame;
  }

  /** No more will come: the process is gone, or its last byte was taken. */
  close(): void {
    this.#done = true;
    this.#resume?.();
    this.#wake();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.progress += chunk.length;
    try {
      this.#take(chunk);
    } catch (error) {
      callback(error as Error);
      return;
    }
    this.#resume = undefined;
    if (this.#waiting < this.#budget || this.#done) callback();
    else
      this.#resume = () => {
        this.#resume = undefined;
        callback();
      };
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.close();
    callback();
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const frame = this.#current;
      if (frame) {
        const part = chunk.subarray(at, at + frame.data.length - frame.filled);
        frame.data.set(part, frame.filled);
        frame.filled += part.length;
        at += part.length;
        if (frame.filled === frame.data.length) this.#push(frame);
        continue;
      }
      const end = chunk.indexOf(10, at);
      this.#line = Buffer.concat([this.#line, chunk.subarray(at, end < 0 ? chunk.length : end)]);
      if (this.#line.length > 4096) throw new Error("ffmpeg's output is not what was asked for.");
      if (end < 0) return;
      this.#read(this.#line.toString("latin1"));
      this.#line = Buffer.alloc(0);
      at = end + 1;
    }
  }

  #read(line: string): void {
    const base = /^#tb 0: (\d+)\/(\d+)$/.exec(line);
    if (base) this.#base = { num: Number(base[1]), den: Number(base[2]) };
    if (line.startsWith("#") || line.trim() === "") return;
    const [stream, , pts, , size] = line.split(",").map((cell) => cell.trim());
    if (stream !== "0" || !/^-?\d+$/.test(pts ?? "") || !/^\d+$/.test(size ?? ""))
      throw new Error(`ffmpeg's output is not what was asked for: ${line.slice(0, 80)}`);
    const data = new Uint8Array(Number(size));
    this.#current = { pts: toMicros(BigInt(pts!), this.#base), data, filled: 0 };
  }

  #push({ pts, data }: RawFrame): void {
    this.#current = undefined;
    this.#waiting += data.byteLength;
    this.#frames.push({ pts, data });
    this.#wake();
  }
}
