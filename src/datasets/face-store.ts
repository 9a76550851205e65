import { type FileHandle, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fingerprint } from "../cache/fingerprint.ts";
import { PipeError } from "../errors.ts";
import { checkFaces } from "./face-check.ts";
import { type FaceMarker, faceDigest, ROWS, shardName } from "./face-marker.ts";
import { changedSince, FacePixels } from "./face-pixels.ts";
import { type FaceRows, readRows } from "./face-rows.ts";
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
        throw changedSince(path, shardName(shard));
    }
    const rows = await readRows(join(path, ROWS), marker.count, marker.points);
    return faceStore(path, marker, rows, new FacePixels(path, marker, rows.slot, handles));
  } catch (error) {
    for (const handle of handles) await handle.close();
    throw error;
  }
}

function faceStore(folder: string, marker: FaceMarker, rows: FaceRows, pixels: FacePixels): FaceStore {
  const { dataset, count, side, points, range, clips, labelled, skipped, notes } = marker;
  const { clip: clipOf, frame: frameOf, pts, valence, arousal, box, landmarks } = rows;
  const digest = faceDigest(marker);
  const told = { folder, dataset, digest, count, side, points, range, clips, labelled, skipped, notes };
  const dispose = () => pixels.dispose();
  return {
    ...told,
    ...{ clipOf, frameOf, pts, valence, arousal, box, landmarks },
    read: (indices, into) => pixels.read(indices, into),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
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
