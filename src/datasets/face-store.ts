import { type FileHandle, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fingerprint } from "../cache/fingerprint.ts";
import { PipeError } from "../errors.ts";
import { checkFaces } from "./face-check.ts";
import { type FaceMarker, faceDigest, ROWS, shardName } from "./face-marker.ts";
import { type FaceRows, readRows } from "./face-rows.ts";
import { inParallel } from "./parallel.ts";
import type { LabelRange, Skip } from "./types.ts";

export { type Packed, type PackOptions, packFaces } from "./pack-faces.ts";

/**
 * Faces cut out once, on disk, for random access while training: pixels are read by position, labels and landmarks are
 * in memory. Row `i` of every array is face `i`; rows are ordered by clip, then frame id.
 */
export interface FaceStore extends AsyncDisposable {
  readonly folder: string;
  /** Name and digest (sha256) of the dataset whose faces these are. */
  readonly dataset: { readonly name: string; readonly digest: string };
  /** sha256 of what the store holds: equal faces and labels, equal digest. */
  readonly digest: string;
  readonly count: number;
  /** Width and height of a face, pixels. */
  readonly side: number;
  /** Landmarks of a face: 68 or 49. */
  readonly points: 49 | 68;
  readonly range: LabelRange;
  /** Every clip of the dataset, also those of which no picture could be read. */
  readonly clips: readonly { readonly id: string; readonly group: string }[];
  /** Labelled frames of the dataset = count + frames of all skips. */
  readonly labelled: number;
  readonly skipped: readonly Skip[];
  readonly notes: readonly string[];
  /** Index into `clips`. */
  readonly clipOf: Int32Array;
  /** The dataset's own frame number. */
  readonly frameOf: Int32Array;
  /** Microseconds on the video's clock; NaN where the dataset has pictures instead of a video. */
  readonly pts: Float64Array;
  /** Native units. */
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
  /** [count, 4]: x, y, width, height of the crop in pixels of the frame. */
  readonly box: Int32Array;
  /** [count, points, 2]: x, y in pixels of the crop, 0..side inside it; may lie outside. */
  readonly landmarks: Float32Array;
  /**
   * Reads faces into `into`: [indices.length, side, side, 3] uint8 RGB, in the order asked for; an index may come twice.
   *
   * @throws RangeError for an index outside 0..count−1 or an array that is too small; PipeError when a file was cut short
   * after it was opened.
   */
  read(indices: ArrayLike<number>, into: Uint8Array): Promise<void>;
  /** Closes the files. A read that runs is awaited; later ones throw. */
  dispose(): Promise<void>;
}

/**
 * Opens a face store. Its sizes and sha256 are verified first; bytes that were verified before and have not been written
 * to since are not hashed again.
 *
 * @throws PipeError that names every problem found
 */
export async function openFaceStore(folder: string, { signal }: { signal?: AbortSignal } = {}): Promise<FaceStore> {
  const path = resolve(folder);
  const { marker, problems, prints } = await checkFaces(path, { trust: true, signal });
  if (marker === undefined || problems.length > 0)
    throw new PipeError(`${folder} is not an intact face store: ${problems.join("; ")}.`, {
      hint: "Pack the dataset's faces again: that replaces a damaged store.",
    });
  const handles: FileHandle[] = [];
  try {
    for (let shard = 0; shard * marker.shardSlots < marker.slots; shard++) {
      const handle = await open(join(path, shardName(shard)), "r");
      handles.push(handle);
      if (fingerprint(await handle.stat({ bigint: true })) !== prints.get(shardName(shard)))
        throw changed(path, shardName(shard));
    }
    const rows = await readRows(join(path, ROWS), marker.count, marker.points);
    return new OpenFaceStore(path, marker, rows, handles);
  } catch (error) {
    for (const handle of handles) await handle.close();
    throw error;
  }
}

/** Rows of the given clips, ascending. Clips without a face give none; a name that is not a clip's throws a PipeError. */
export function rowsOf(store: Pick<FaceStore, "clips" | "clipOf">, clips: Iterable<string>): Int32Array {
  const number = new Map(store.clips.map(({ id }, i) => [id, i]));
  const wanted = new Uint8Array(store.clips.length);
  for (const id of clips) {
    const at = number.get(id);
    if (at === undefined) throw new PipeError(`The face store has no clip ${id}.`, { hint: "Do the folds fit it?" });
    wanted[at] = 1;
  }
  return Int32Array.from(store.clipOf.keys()).filter((row) => wanted[store.clipOf[row]!] === 1);
}

/** Reads under way at once, of one call: as many as Node's pool has threads. */
const READS_AT_ONCE = 4;
/** Faces of one scattering read; the system's own limit is 1024 pieces. */
const FACES_A_READ = 64;

class OpenFaceStore implements FaceStore {
  readonly folder: string;
  readonly dataset: FaceMarker["dataset"];
  readonly digest: string;
  readonly count: number;
  readonly side: number;
  readonly points: 49 | 68;
  readonly range: LabelRange;
  readonly clips: FaceMarker["clips"];
  readonly labelled: number;
  readonly skipped: readonly Skip[];
  readonly notes: readonly string[];
  readonly clipOf: Int32Array;
  readonly frameOf: Int32Array;
  readonly pts: Float64Array;
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
  readonly box: Int32Array;
  readonly landmarks: Float32Array;
  readonly #slots: Int32Array;
  readonly #shardSlots: number;
  readonly #faceBytes: number;
  readonly #handles: readonly FileHandle[];
  readonly #running = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;

  constructor(folder: string, marker: FaceMarker, rows: FaceRows, handles: readonly FileHandle[]) {
    this.folder = folder;
    this.dataset = marker.dataset;
    this.digest = faceDigest(marker);
    this.count = marker.count;
    this.side = marker.side;
    this.points = marker.points;
    this.range = marker.range;
    this.clips = marker.clips;
    this.labelled = marker.labelled;
    this.skipped = marker.skipped;
    this.notes = marker.notes;
    this.clipOf = rows.clip;
    this.frameOf = rows.frame;
    this.pts = rows.pts;
    this.valence = rows.valence;
    this.arousal = rows.arousal;
    this.box = rows.box;
    this.landmarks = rows.landmarks;
    this.#slots = rows.slot;
    this.#shardSlots = marker.shardSlots;
    this.#faceBytes = marker.side * marker.side * 3;
    this.#handles = handles;
  }

  async read(indices: ArrayLike<number>, into: Uint8Array): Promise<void> {
    if (this.#closed !== undefined) throw new Error(`The face store ${this.folder} is closed.`);
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #read(indices: ArrayLike<number>, into: Uint8Array): Promise<void> {
    const size = this.#faceBytes;
    if (into.length < indices.length * size)
      throw new RangeError(`${indices.length} faces of ${size} bytes do not fit into ${into.length} bytes`);
    const slots = Int32Array.from(indices, (index) => {
      const slot = this.#slots[index];
      if (slot === undefined) throw new RangeError(`face ${index} of ${this.count}`);
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
      if (bytesRead === 0) throw changed(this.folder, shardName(shard));
      position += bytesRead;
      left = after(left, bytesRead);
    }
  }
}

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

function changed(folder: string, name: string): PipeError {
  return new PipeError(`${join(folder, name)} was written to after it was verified.`, {
    hint: "Pack the dataset's faces again: that replaces a damaged store.",
  });
}
