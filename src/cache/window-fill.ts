import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { PipeError } from "../errors.ts";
import { BYTES } from "./dtype.ts";
import { fingerprint } from "./fingerprint.ts";
import { type HalfLoop, halfLoop } from "./half-loop.ts";
import type { Shard } from "./marker.ts";
import { dequantise } from "./quantise.ts";
import { type EntryLayout, type FillRequest, type ThreadData, UNIT } from "./window-protocol.ts";

/**
 * Fills windows in a memory that threads share: rows come from the files by positioned reads, neighbours in one, straight
 * to where their values go, and are converted there. Rows that were read are kept as they are in the file while there is
 * room, so that the next epoch asks the disk for fewer; nothing is thrown out, since every row of an epoch is as likely to
 * come again as any other.
 */
export class WindowFiller implements Disposable {
  readonly #data: ThreadData;
  readonly #loop: HalfLoop;
  readonly #layouts = new Map<number, EntryLayout>();
  /** Open files by path, the one used last at the end. */
  readonly #files = new Map<string, number>();

  constructor(data: ThreadData) {
    this.#data = data;
    this.#loop = halfLoop(data.memory);
  }

  fill({ layouts, at, entries, steps, rows }: FillRequest): void {
    for (const layout of layouts) this.#layouts.set(layout.entry, layout);
    let [step, to] = [0, at];
    for (let i = 0; i < entries.length; i++) {
      const layout = this.#layouts.get(entries[i]!)!;
      const end = step + steps[i]!;
      while (step < end) {
        const count = runFrom(rows, step, end, layout);
        const bytes = count * layout.size * 4;
        if (rows[step]! < 0) this.#bytes(to, bytes).fill(0);
        else this.#rows(layout, rows[step]!, count, to);
        step += count;
        to += bytes;
      }
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  /** `count` rows from `row` on, all in one record batch, become float32 at byte `to`. */
  #rows(layout: EntryLayout, row: number, count: number, to: number): void {
    const shard = layout.shards[Math.floor(row / layout.shardRows)]!;
    const rowBytes = layout.size * BYTES[shard.dtype];
    for (let done = 0; done < count; ) {
      const at = to + done * layout.size * 4;
      const run = heldFrom(layout, row + done, count - done, rowBytes);
      if (run.from > 0) this.#convert(layout, shard, run.from, at, run.count);
      else {
        // The narrower bytes go to the end of their place, where widening never overtakes them.
        const from = at + run.count * (layout.size * 4 - rowBytes);
        this.#read(layout, row + done, this.#bytes(from, run.count * rowBytes));
        this.#hold(layout, row + done, run.count, from, rowBytes);
        this.#convert(layout, shard, from, at, run.count);
      }
      done += run.count;
    }
  }

  #convert({ size }: EntryLayout, { dtype, scale, offset }: Shard, from: number, to: number, count: number): void {
    const values = count * size;
    if (dtype === "float16") this.#loop.widen(from, to, values);
    else if (dtype === "uint8") {
      const into = new Float32Array(this.#data.memory.buffer, to, values);
      dequantise(this.#bytes(from, values), into, 0, count, size, { scale: scale!, offset: offset! });
    } else if (from !== to) this.#bytes(to, values * 4).set(this.#bytes(from, values * 4));
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#data.memory.buffer, at, length);
  }

  /** Keeps what was read, if there is room for it. Two threads may keep the same row: one of the copies is then unused. */
  #hold({ held }: EntryLayout, row: number, count: number, from: number, rowBytes: number): void {
    const units = Math.ceil(rowBytes / UNIT);
    const { top, room } = this.#data;
    if (Atomics.load(top, 0) + units * count > room) return;
    const start = Atomics.add(top, 0, units * count);
    if (start + units * count > room) return;
    for (let i = 0; i < count; i++) {
      const at = (start + i * units) * UNIT;
      this.#bytes(at, rowBytes).set(this.#bytes(from + i * rowBytes, rowBytes));
      Atomics.store(held, row + i, start + i * units);
    }
  }

  #read(layout: EntryLayout, row: number, into: Uint8Array): void {
    const number = Math.floor(row / layout.shardRows);
    const shard = layout.shards[number]!;
    const file = this.#open(layout, number);
    const inShard = row % layout.shardRows;
    const inBatch = inShard % layout.batchRows;
    const batch = shard.batches[(inShard - inBatch) / layout.batchRows]!;
    const position = batch + inBatch * layout.size * BYTES[shard.dtype];
    for (let done = 0; done < into.length; ) {
      const read = readSync(file, into, done, into.length - done, position + done);
      if (read === 0) throw changed(layout.folder, shard.name);
      done += read;
    }
  }

  #open({ folder, shards, prints }: EntryLayout, number: number): number {
    const { name } = shards[number]!;
    const path = join(folder, name);
    const known = this.#files.get(path);
    if (known !== undefined) {
      this.#files.delete(path);
      this.#files.set(path, known);
      return known;
    }
    const [oldest] = this.#files;
    if (oldest !== undefined && this.#files.size >= this.#data.files) {
      this.#files.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    const file = opened(path, folder, name);
    if (fingerprint(fstatSync(file, { bigint: true })) !== prints[number]) {
      closeSync(file);
      throw changed(folder, name);
    }
    this.#files.set(path, file);
    return file;
  }
}

/** How many steps from `step` on are missing, or rows that follow each other in one record batch. */
function runFrom(rows: Int32Array, step: number, end: number, { batchRows, shardRows }: EntryLayout): number {
  const first = rows[step]!;
  let count = 1;
  if (first < 0) {
    while (step + count < end && rows[step + count]! < 0) count += 1;
    return count;
  }
  const most = batchRows - ((first % shardRows) % batchRows);
  while (count < most && step + count < end && rows[step + count] === first + count) count += 1;
  return count;
}

/** How many rows from `row` on are kept one behind the other, and from which byte on; or are not kept, and 0. */
function heldFrom({ held }: EntryLayout, row: number, most: number, rowBytes: number): { from: number; count: number } {
  const from = Atomics.load(held, row) * UNIT;
  let count = 1;
  const follows = (next: number) => (from === 0 ? next === 0 : next === from + count * rowBytes);
  while (count < most && follows(Atomics.load(held, row + count) * UNIT)) count += 1;
  return { from, count };
}

function opened(path: string, folder: string, name: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw changed(folder, name, "is gone");
    throw error;
  }
}

function changed(folder: string, name: string, what = "was written to"): PipeError {
  return new PipeError(`${join(basename(folder), name)} ${what} after it was verified.`, {
    hint: "Run the pipeline that made it again: it replaces broken entries.",
  });
}
