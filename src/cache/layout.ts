import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MARKER, ROWS } from "./marker.ts";

const NAME = /^[0-9a-f]{16}$/;

/**
 * `<output>/<digest, 16 hex>/<key, 16 hex>`: named by content alone, so that a renamed video finds its entry again.
 * `digest` and `key` are sha256 in hex.
 */
export function entryFolder(output: string, digest: string, key: string): string {
  return join(output, entryName(digest), entryName(key));
}

/** The 16 characters that stand for a sha256 in a path. */
export function entryName(sha256: string): string {
  const name = sha256.slice(0, 16);
  if (!NAME.test(name)) throw new Error(`not a sha256 in hex: ${sha256}`);
  return name;
}

/** Folders under `folder` that are entries or look like them: an entry itself, a source's folder, or a whole output. */
export async function entryFolders(folder: string): Promise<string[]> {
  if (await isEntry(folder)) return [folder];
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    const below = join(folder, name);
    if (await isEntry(below)) found.push(below);
    else for (const key of await namesIn(below)) found.push(join(below, key));
  }
  return found;
}

/** Names of 16 hex digits in a folder, sorted; none where there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => NAME.test(name)).sort();
}

/** An entry that lost its marker is still seen as one, by its rows. */
async function isEntry(folder: string): Promise<boolean> {
  for (const name of [MARKER, ROWS])
    if ((await stat(join(folder, name)).catch(() => undefined)) !== undefined) return true;
  return false;
}
