import { type FileHandle, open, readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { DigestMemo } from "../cache/digest-memo.ts";
import { publish } from "../cache/publish.ts";
import { TempFolder } from "../cache/temp.ts";
import { digestFile, digestOf } from "../digest.ts";
import { diskError, makeFolder, writeAll } from "../disk.ts";
import { PipeError } from "../errors.ts";
import { type CutFace, cutFaces } from "./cut-faces.ts";
import { datasetDigest } from "./dataset-digest.ts";
import { checkFaces, noteFaces } from "./face-check.ts";
import { encodeMarker, type FaceFile, type FaceMarker, faceKey, MARKER, ROWS, shardName } from "./face-marker.ts";
import { emptyRows, type FaceRows, writeRows } from "./face-rows.ts";
import { inParallel } from "./parallel.ts";
import type { Dataset, Skip } from "./types.ts";

export interface PackOptions {
  /** Width and height of a face, pixels (default 128). */
  readonly side?: number;
  /** Replace an intact store of other faces that stands in the folder (default: refuse). */
  readonly replace?: boolean;
  /** How many clips or runs of pictures are worked on at once (default: one for each core). */
  readonly parallel?: number;
  /** Largest pixel file, bytes (default 1 GiB). */
  readonly shardBytes?: number;
  readonly signal?: AbortSignal;
  /** Told after each labelled frame, of all. */
  readonly progress?: (done: number, total: number) => void;
}

export interface Packed {
  readonly folder: string;
  /** False where an intact store of just these faces was there already. */
  readonly made: boolean;
  readonly count: number;
  /** Labelled frames of the dataset = count + frames of all skips. */
  readonly labelled: number;
  readonly skipped: readonly Skip[];
  readonly bytes: number;
}

/**
 * Cuts every labelled face of a dataset out once and publishes them as a face store in `folder`, for
 * `openFaceStore`. An intact store of the same labels, pictures (by name and sha256) and side is used as it is; a damaged
 * one is made again. Until the last moment everything is in a temp folder beside; failure and abort leave nothing.
 *
 * The bytes depend on the dataset alone, not on how much was done at once. A picture that cannot be read is a skip.
 * In memory are rows, and a few pictures for each unit of work.
 *
 * @throws PipeError when the folder holds something else, no face could be cut, or the disk fails
 */
export async function packFaces(dataset: Dataset, folder: string, options: PackOptions = {}): Promise<Packed> {
  const { side = 128, replace = false, signal = new AbortController().signal } = options;
  if (!Number.isInteger(side) || side < 1) throw new PipeError(`Faces cannot be cut to ${side} × ${side} pixels.`);
  signal.throwIfAborted();
  const place = resolve(folder);
  const digest = datasetDigest(dataset);
  const key = faceKey(digest, side, await mediaPrint(dataset, new DigestMemo(dirname(place)), signal));
  const standing = await standingStore(place, key, replace, signal);
  if (standing !== undefined) return packedOf(place, standing, false);

  await using temp = await TempFolder.make(dirname(place));
  const work = join(temp.path, "faces");
  await makeFolder(work);
  const { rows, files, skipped } = await cutAll(dataset, work, side, options, signal);
  if (rows.slot.length === 0)
    throw new PipeError(`${dataset.folder}: no face could be cut out. ${skipped[0]?.where}: ${skipped[0]?.reason}.`);
  const text = encodeMarker({
    key,
    dataset: { name: dataset.name, digest },
    range: dataset.range,
    side,
    points: dataset.points,
    count: rows.slot.length,
    labelled: dataset.labelled,
    slots: slotsOf(dataset),
    shardSlots: shardSlots(side, options.shardBytes),
    clips: dataset.clips.map(({ id, group }) => ({ id, group })),
    skipped,
    notes: [...dataset.notes],
    files: [{ name: ROWS, ...(await writeRows(join(work, ROWS), rows, dataset.points)) }, ...files],
  });
  await writeWhole(join(work, MARKER), text);
  signal.throwIfAborted();
  // Another run may have put one there meanwhile.
  const made = await publish(
    temp,
    work,
    place,
    async () => (await standingStore(place, key, replace, signal)) !== undefined,
  );
  await noteFaces(place);
  const { marker } = await checkFaces(place, { trust: true, signal });
  if (marker === undefined) throw new PipeError(`${place} was removed or damaged while it was published.`);
  return packedOf(place, marker, made);
}

/** Frames of a folder of pictures that are one unit of work; a video is one as a whole. */
const PICTURES_AT_ONCE = 16;
const GIBIBYTE = 2 ** 30;

/** The marker of an intact store of these very faces, if that is what stands in the place. */
async function standingStore(
  place: string,
  key: string,
  replace: boolean,
  signal: AbortSignal,
): Promise<FaceMarker | undefined> {
  const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new PipeError(`${place} is not a folder.`, { hint: "Choose another place for the faces.", cause: error });
  });
  if (names === undefined) return undefined;
  const stranger = names.find((name) => !OURS.test(name));
  if (stranger !== undefined)
    throw new PipeError(`${place} holds ${stranger}, which is no part of a face store.`, {
      hint: "Give the faces a folder of their own; what stands there is not touched.",
    });
  const { marker, problems } = await checkFaces(place, { trust: true, signal });
  if (marker === undefined || problems.length > 0) return undefined;
  if (marker.key === key) return marker;
  if (replace) return undefined;
  throw new PipeError(`${place} holds other faces: ${marker.count} of ${marker.dataset.name}, side ${marker.side}.`, {
    hint: "The dataset or its options changed. Choose another folder, or have them replaced (option replace).",
  });
}

const OURS = /^(\..*|marker\.json|rows\.arrow|faces-\d{5}\.rgb)$/;

async function cutAll(
  dataset: Dataset,
  work: string,
  side: number,
  { parallel = availableParallelism(), shardBytes, progress }: PackOptions,
  signal: AbortSignal,
): Promise<{ rows: FaceRows; files: FaceFile[]; skipped: Skip[] }> {
  const slots = slotsOf(dataset);
  const columns = emptyRows(slots, dataset.points);
  const reasons = new Map<number, Skip>();
  const units = unitsOf(dataset);
  await using pixels = await PixelFiles.create(work, slots, side, shardSlots(side, shardBytes));
  let done = 0;
  await inParallel(
    units.length,
    parallel,
    async (i) => {
      const { clip: number, from, to, slot: start } = units[i]!;
      const clip = dataset.clips[number]!;
      for await (const face of cutFaces(clip, { side, from, to, signal })) {
        const slot = start + face.index - from;
        if ("reason" in face) {
          const where = `${clip.id}, frame ${clip.frames[face.index]!.id}`;
          reasons.set(slot, { where, reason: face.reason, frames: 1 });
        } else {
          await pixels.write(slot, face.image.data);
          fillRow(columns, slot, number, clip.frames[face.index]!, face, side);
        }
        progress?.(++done, slots);
      }
    },
    signal,
  );
  const bySlot = [...reasons].sort(([a], [b]) => a - b).map(([, skip]) => skip);
  const files = await pixels.end(signal);
  return { rows: onlyFaces(columns, reasons, dataset.points), files, skipped: [...dataset.skipped, ...bySlot] };
}

interface Unit {
  readonly clip: number;
  readonly from: number;
  readonly to: number;
  /** Slot of frame `from`. */
  readonly slot: number;
}

function unitsOf(dataset: Dataset): Unit[] {
  let slot = 0;
  return dataset.clips.flatMap(({ media, frames }, clip) => {
    const size = media.kind === "images" ? PICTURES_AT_ONCE : frames.length;
    const units: Unit[] = [];
    for (let from = 0; from < frames.length; from += size) {
      const to = Math.min(frames.length, from + size);
      units.push({ clip, from, to, slot });
      slot += to - from;
    }
    return units;
  });
}

function fillRow(
  rows: FaceRows,
  slot: number,
  clip: number,
  frame: Dataset["clips"][number]["frames"][number],
  { box, pts }: Extract<CutFace, { image: unknown }>,
  side: number,
): void {
  rows.slot[slot] = slot;
  rows.clip[slot] = clip;
  rows.frame[slot] = frame.id;
  rows.pts[slot] = pts ?? Number.NaN;
  rows.valence[slot] = frame.valence;
  rows.arousal[slot] = frame.arousal;
  rows.box.set([box.x, box.y, box.width, box.height], slot * 4);
  const at = slot * frame.landmarks.length;
  for (let i = 0; i < frame.landmarks.length; i += 2) {
    rows.landmarks[at + i] = ((frame.landmarks[i]! - box.x) * side) / box.width;
    rows.landmarks[at + i + 1] = ((frame.landmarks[i + 1]! - box.y) * side) / box.height;
  }
}

/** Rows by slot without those that got no face. */
function onlyFaces(all: FaceRows, without: ReadonlyMap<number, unknown>, points: number): FaceRows {
  if (without.size === 0) return all;
  const keep = Int32Array.from(all.slot.keys()).filter((slot) => !without.has(slot));
  const pick = <T extends Int32Array | Float32Array | Float64Array>(column: T, width: number): T => {
    const kept = new (column.constructor as new (length: number) => T)(keep.length * width);
    for (const [row, slot] of keep.entries()) kept.set(column.subarray(slot * width, (slot + 1) * width), row * width);
    return kept;
  };
  return {
    slot: keep,
    clip: pick(all.clip, 1),
    frame: pick(all.frame, 1),
    pts: pick(all.pts, 1),
    valence: pick(all.valence, 1),
    arousal: pick(all.arousal, 1),
    box: pick(all.box, 4),
    landmarks: pick(all.landmarks, points * 2),
  };
}

/** Pixel files with a place for every labelled frame, so that faces may come in any order; what is not written is zero. */
class PixelFiles implements AsyncDisposable {
  readonly #folder: string;
  readonly #handles: FileHandle[];
  readonly #faceBytes: number;
  readonly #shardSlots: number;

  private constructor(folder: string, handles: FileHandle[], faceBytes: number, shardSlots: number) {
    this.#folder = folder;
    this.#handles = handles;
    this.#faceBytes = faceBytes;
    this.#shardSlots = shardSlots;
  }

  static async create(folder: string, slots: number, side: number, shardSlots: number): Promise<PixelFiles> {
    const faceBytes = side * side * 3;
    const files = new PixelFiles(folder, [], faceBytes, shardSlots);
    try {
      for (let first = 0; first < slots; first += shardSlots) {
        const handle = await open(join(folder, shardName(files.#handles.length)), "wx");
        files.#handles.push(handle);
        await handle.truncate(Math.min(shardSlots, slots - first) * faceBytes);
      }
      return files;
    } catch (error) {
      await files[Symbol.asyncDispose]();
      throw diskError(error, folder);
    }
  }

  async write(slot: number, pixels: Uint8Array): Promise<void> {
    const shard = Math.floor(slot / this.#shardSlots);
    try {
      await writeAll(this.#handles[shard]!, [pixels], (slot - shard * this.#shardSlots) * this.#faceBytes);
    } catch (error) {
      throw diskError(error, join(this.#folder, shardName(shard)));
    }
  }

  /** Makes the files durable and closes them; each with its size and sha256. */
  async end(signal: AbortSignal): Promise<FaceFile[]> {
    const files: FaceFile[] = [];
    for (const [shard, handle] of this.#handles.entries()) {
      const path = join(this.#folder, shardName(shard));
      try {
        await handle.sync();
      } catch (error) {
        throw diskError(error, path);
      }
      const { size } = await handle.stat();
      files.push({ name: shardName(shard), bytes: size, sha256: await digestFile(path, signal) });
    }
    await this[Symbol.asyncDispose]();
    return files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of this.#handles.splice(0)) await handle.close();
  }
}

/** Name and sha256 of every picture file; each is read once as long as it stays as it is. */
async function mediaPrint(dataset: Dataset, memo: DigestMemo, signal: AbortSignal): Promise<string> {
  const paths = dataset.clips.flatMap(({ media }) => (media.kind === "images" ? media.paths : [media.path]));
  const digests = await inParallel(
    paths.length,
    DIGESTS_AT_ONCE,
    async (i) => {
      try {
        return await memo.digest(paths[i]!, signal);
      } catch {
        signal.throwIfAborted();
        // What cannot be read becomes a skip, with its reason, when its turn comes.
        return null;
      }
    },
    signal,
  );
  const names = paths.map((path) => relative(dataset.folder, path).replaceAll("\\", "/"));
  return digestOf(digests.map((digest, i) => [names[i]!, digest]));
}

const DIGESTS_AT_ONCE = 4;

async function writeWhole(path: string, text: string): Promise<void> {
  try {
    await using handle = await open(path, "wx");
    await writeAll(handle, [Buffer.from(text)], 0);
    await handle.sync();
  } catch (error) {
    throw diskError(error, path);
  }
}

function slotsOf(dataset: Dataset): number {
  return dataset.clips.reduce((sum, clip) => sum + clip.frames.length, 0);
}

function shardSlots(side: number, shardBytes = GIBIBYTE): number {
  return Math.max(1, Math.floor(shardBytes / (side * side * 3)));
}

function packedOf(folder: string, { count, labelled, skipped, files }: FaceMarker, made: boolean): Packed {
  return { folder, made, count, labelled, skipped, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
}
