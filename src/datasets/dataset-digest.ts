import { createHash } from "node:crypto";
import { relative } from "node:path";
import { canonical, type Json } from "../digest.ts";
import type { Dataset } from "./types.ts";

/**
 * sha256 (hex) of everything a dataset says of its frames: clips, groups, ids, labels, landmarks, range, and the names of
 * the files that hold the pictures (relative to the dataset's folder); not of the pictures themselves, and nothing of
 * where it lies.
 */
export function datasetDigest(dataset: Dataset): string {
  const hash = createHash("sha256");
  const add = (value: Json): void => {
    hash.update(`${canonical(value)}\n`);
  };
  const name = (path: string): string => relative(dataset.folder, path).replaceAll("\\", "/");
  add([dataset.name, dataset.range.valence, dataset.range.arousal, dataset.points]);
  for (const { id, group, media, frames } of dataset.clips) {
    const pictures =
      media.kind === "images"
        ? { kind: media.kind, paths: media.paths.map(name) }
        : { ...media, path: name(media.path) };
    add([id, group, pictures]);
    for (const frame of frames) {
      add([frame.id, frame.valence, frame.arousal]);
      const { buffer, byteOffset, byteLength } = frame.landmarks;
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  }
  return hash.digest("hex");
}
