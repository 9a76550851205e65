import { relative, resolve } from "node:path";

/** `Next: npx pipe run …`, ready for a shell: what a sink's `next` offers. */
export function nextCommand(...words: readonly string[]): string {
  return `Next: npx pipe run ${words.map(forShell).join(" ")}`;
}

/** `Open …`: a page, as people find it from the folder that they are in. */
export function openPage(path: string): string {
  return `Open ${fromHere(path)}`;
}

/** A path as it is shortest from the current folder; one outside of it stays absolute. */
export function fromHere(path: string): string {
  const below = relative("", path);
  return below.startsWith("..") || below === "" ? resolve(path) : below;
}

function forShell(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
