import { basename, dirname, extname } from "node:path";

/** A source's name as one plain file name of at most 50 characters; names that differ may become one. */
export function safeName(name: string): string {
  const plain = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^[._-]+/, "");
  return [...plain].slice(0, 50).join("") || "source";
}

/** The folders in a source's name, each as a plain name: `2019`, `cam1` for `2019/cam1/clip.mp4`; none leads upward. */
export function safeFolders(name: string): string[] {
  const folders = dirname(name).split(/[\\/]/);
  return folders.filter((folder) => folder !== "" && folder !== "." && folder !== "..").map(safeName);
}

/** What a source is called without its folders and its ending, as a plain name. */
export function safeStem(name: string): string {
  return safeName(basename(name, extname(name)));
}
