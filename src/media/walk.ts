import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

/** A folder as people see it: what is hidden is left out, and so are trash folders. */
export interface Folder {
  readonly path: string;
  /** All that is no folder, in the order of names. */
  readonly files: readonly FolderFile[];
  /** Names of links to folders that were not entered, in order. */
  readonly links: readonly string[];
  /** Why it cannot be read; it is then empty. */
  readonly error?: unknown;
}

export interface FolderFile {
  readonly name: string;
  readonly link: boolean;
  /** It is a regular file, or leads to one. */
  readonly regular: boolean;
}

export interface WalkOptions {
  /** Enter links to folders too; each folder is entered once, so that a circle ends. Default: no. */
  readonly follow?: boolean;
  /** Which sub-folders to go into; default: all. */
  readonly enter?: (name: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Folders where systems keep what was deleted, previews, or what belongs to a program. */
const TRASH = new Set(
  ["$recycle.bin", "recycler", "#recycle", "@recycle", "lost+found", "system volume information"].concat([
    "@eadir",
    "@recently-snapshot",
    "#snapshot",
    "__macosx",
    "node_modules",
  ]),
);

/** Whether a name is passed over wherever it was not named itself: `.git`, `._clip.mp4`, `.Trash-1000`, `@eaDir`. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || TRASH.has(name.toLowerCase());
}

/** The folder, whatever its name, and all below it, each before what is in it and in the order of names; real folders before links. */
export async function* walk(path: string, options: WalkOptions = {}): AsyncGenerator<Folder, void, void> {
  yield* below(path, options, new Set([await realpath(path).catch(() => path)]));
}

async function* below(path: string, options: WalkOptions, entered: Set<string>): AsyncGenerator<Folder, void, void> {
  const { follow = false, enter = () => true, signal } = options;
  signal?.throwIfAborted();
  let items: Dirent[];
  try {
    items = await readdir(path, { withFileTypes: true });
  } catch (error) {
    yield { path, files: [], links: [], error };
    return;
  }
  items.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: FolderFile[] = [];
  const folders: string[] = [];
  const links: string[] = [];
  for (const item of items) {
    if (isHidden(item.name)) continue;
    const link = item.isSymbolicLink();
    const target = link ? await stat(join(path, item.name)).catch(() => undefined) : item;
    if (!target?.isDirectory()) files.push({ name: item.name, link, regular: target?.isFile() ?? false });
    else if (enter(item.name)) (link ? links : folders).push(item.name);
  }
  yield { path, files, links: follow ? [] : links };
  for (const name of follow ? [...folders, ...links] : folders) {
    const next = join(path, name);
    if (follow) {
      const real = await realpath(next).catch(() => next);
      if (entered.has(real)) continue;
      entered.add(real);
    }
    yield* below(next, options, entered);
  }
}
