import { join } from "node:path";
import { walk } from "./walk.ts";

/** What a segment's name says: `SSL_C2_S055_P109_VC1_004803_005542`. */
export interface Stem {
  readonly stem: string;
  /** `S055`: the recording session of two chat partners. */
  readonly session: string;
  /** First and last frame in the original recording. */
  readonly first: number;
  readonly last: number;
}

export const CHANNELS = ["A", "V", "AV"] as const;
/** What the annotators had: audio alone, video alone, both. */
export type Channel = (typeof CHANNELS)[number];

/** The files of one segment, as paths. */
export interface SegmentFiles extends Stem {
  video: string | undefined;
  readonly valence: Map<Channel, string>;
  readonly arousal: Map<Channel, string>;
  /** By frame id. */
  readonly landmarks: Map<number, string>;
}

/**
 * Finds the files of every segment below a folder. A file belongs to the segment that its own name begins with, or else
 * to the one of the innermost folder so named; so it does not matter whether labels and landmarks lie beside the video,
 * in folders below it, or in trees of their own.
 */
export async function sewaFiles(folder: string, signal?: AbortSignal): Promise<SegmentFiles[]> {
  const segments = new Map<string, SegmentFiles>();
  const landmarkFiles = new Map<SegmentFiles, LandmarkFile[]>();
  for await (const { path, files } of walk(folder, { ...(signal && { signal }) })) {
    const around = stemIn(path.split(/[\\/]/).findLast((part) => stemIn(part) !== null) ?? "");
    for (const name of files) {
      const stem = stemIn(name) ?? around;
      if (stem === null) continue;
      const segment = segments.get(stem.stem) ?? {
        ...stem,
        video: undefined,
        valence: new Map(),
        arousal: new Map(),
        landmarks: new Map(),
      };
      const rest = name.startsWith(stem.stem) ? name.slice(stem.stem.length) : name;
      const id = landmarkId(rest);
      if (id !== undefined) {
        const own = landmarkFiles.get(segment) ?? [];
        own.push({ folder: path, name, id });
        landmarkFiles.set(segment, own);
      } else if (!take(segment, path, name, rest)) continue;
      segments.set(stem.stem, segment);
    }
  }
  for (const [segment, own] of landmarkFiles) {
    // Other text a frame may lie about; where folders say what they hold, they are believed.
    const named = own.filter((file) => /landmark|annot|point|\bpts\b/i.test(file.folder.slice(folder.length)));
    for (const file of named.length > 0 ? named : own)
      if (!segment.landmarks.has(file.id)) segment.landmarks.set(file.id, join(file.folder, file.name));
  }
  return [...segments.values()].sort((a, b) => (a.stem < b.stem ? -1 : 1));
}

/** The segment's name at the beginning of a file's or folder's name, null where there is none. */
export function stemIn(name: string): Stem | null {
  const [stem, session, first, last] =
    /^[A-Za-z]+_C\d+_(S\d+)_P\d+_[A-Za-z0-9]+_(\d+)_(\d+)(?![0-9A-Za-z])/.exec(name) ?? [];
  return stem === undefined ? null : { stem, session: session!, first: Number(first), last: Number(last) };
}

interface LandmarkFile {
  readonly folder: string;
  readonly name: string;
  readonly id: number;
}

/** `_000123.txt`, `000123.pts`: one text file a frame, whose name ends in the frame id. */
function landmarkId(rest: string): number | undefined {
  const [, id] = /(\d+)\.(?:txt|pts)$/i.exec(rest) ?? [];
  return id === undefined ? undefined : Number(id);
}

function take(segment: SegmentFiles, path: string, name: string, rest: string): boolean {
  const [, dimension, channel] = /^_(valence|arousal)_(A|V|AV)_Aligned\.csv$/i.exec(rest) ?? [];
  if (dimension !== undefined) {
    const files = dimension.toLowerCase() === "valence" ? segment.valence : segment.arousal;
    const key = channel!.toUpperCase() as Channel;
    if (!files.has(key)) files.set(key, join(path, name));
    return true;
  }
  // The Xvid .avi is the dataset's own; an .mp4 beside it was made from it.
  if (/^\.(avi|mp4)$/i.test(rest)) {
    if (segment.video === undefined || /\.avi$/i.test(name)) segment.video = join(path, name);
    return true;
  }
  return false;
}
