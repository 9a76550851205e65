import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { PipeError } from "../errors.ts";
import { type FaceMarker, shardName } from "./face-marker.ts";
import { inParallel } from "./parallel.ts";

/** The open pixel files of a face store, read by position; `slots`: where in them each face lies. */
export class FacePixels {
  readonly #folder: string;
  readonly #slots: Int32Array;
  readonly #shardSlots: number;
  readonly #faceBytes: number;
  readonly #handles: readonly FileHandle[];
  readonly #running = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;

  constructor(
    folder: string,
    { shardSlots, side }: Pick<FaceMarker, "shardSlots" | "side">,
    slots: Int32Array,
    handles: readonly FileHandle[],
  ) {
    this.#folder = folder;
    this.#slots = slots;
    this.#shardSlots = shardSlots;
    this.#faceBytes = side * side * 3;
    this.#handles = handles;
  }

  /** See `FaceStore.read`. */
  async read(indices: ArrayLike<number>, into: Uint8Array): Promise<void> {
    if (this.#closed !== undefined) throw new Error(`The face store ${this.#folder} is closed.`);
    const reading = this.#read(indices, into);
    this.#running.add(reading);
    try {
      await reading;
    } finally {
      this.#running.delete(reading);
    }
  }

  dispose(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.allSettled(this.#running);
      for (const handle of this.#handles) await handle.close();
    })();
    return this.#closed;
  }

  async #read(indices: ArrayLike<number>, into: Uint8Array): Promise<void> {
    const size = this.#faceBytes;
    if (into.length < indices.length * size)
      throw new RangeError(`${indices.length} faces of ${size} bytes do not fit into ${into.length} bytes`);
    const slots = Int32Array.from(indices, (index) => {
      const slot = this.#slots[index];
      if (slot === undefined) throw new RangeError(`face ${index} of ${this.#slots.length}`);
      return slot;
    });
    const order = Int32Array.from(slots.keys()).sort((a, b) => slots[a]! - slots[b]!);

    // Neighbours in a file are read at once, each into its own place.
    const runs: Run[] = [];
    const copies: { from: number; to: number }[] = [];
    let previous: number | undefined;
    for (const position of order) {
      const slot = slots[position]!;
      if (previous !== undefined && slots[previous] === slot) {
        copies.push({ from: previous, to: position });
        continue;
      }
      previous = position;
      const run = runs.at(-1);
      const place = into.subarray(position * size, (position + 1) * size);
      if (run !== undefined && this.#continues(run, slot)) run.places.push(place);
      else runs.push({ slot, places: [place] });
    }
    await inParallel(runs.length, READS_AT_ONCE, (i) => this.#readRun(runs[i]!));
    for (const { from, to } of copies) into.copyWithin(to * size, from * size, (from + 1) * size);
  }

  #continues({ slot, places }: Run, next: number): boolean {
    return slot + places.length === next && next % this.#shardSlots !== 0 && places.length < FACES_A_READ;
  }

  async #readRun({ slot, places }: Run): Promise<void> {
    const shard = Math.floor(slot / this.#shardSlots);
    const handle = this.#handles[shard]!;
    let position = (slot - shard * this.#shardSlots) * this.#faceBytes;
    let left = places;
    while (left.length > 0) {
      const { bytesRead } = await handle.readv(left, position);
      if (bytesRead === 0) throw changedSince(this.#folder, shardName(shard));
      position += bytesRead;
      left = after(left, bytesRead);
    }
  }
}

export function changedSince(folder: string, name: string): PipeError {
  return new PipeError(`${join(folder, name)} was written to after it was verified.`, {
    hint: "Pack the dataset's faces again: that replaces a damaged store.",
  });
}

/** Reads under way at once, of one call: as many as Node's pool has threads. */
const READS_AT_ONCE = 4;
/** Faces of one scattering read; the system's own limit is 1024 pieces. */
const FACES_A_READ = 64;

/** Faces that lie one after the other in one file, with where each is to go. */
interface Run {
  readonly slot: number;
  readonly places: Uint8Array[];
}

/** What is left of the places once their first `bytes` are filled. */
function after(places: Uint8Array[], bytes: number): Uint8Array[] {
  let done = bytes;
  let first = 0;
  while (first < places.length && done >= places[first]!.length) done -= places[first++]!.length;
  const left = places.slice(first);
  if (done > 0) left[0] = left[0]!.subarray(done);
  return left;
}
