import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { PipeError } from "../errors.ts";
import { whyUnreadable } from "../media/open.ts";

/** A folder of a dataset with the names of its files, sorted; hidden names are left out. */
export interface Folder {
  readonly path: string;
  readonly files: readonly string[];
}

/**
 * The folder and all below it, links followed, each before what is in it and in the order of names. `enter` says which
 * sub-folders to go into.
 *
 * @throws PipeError when the folder is not there or one cannot be read
 */
export async function* walk(
  path: string,
  {
    enter = () => true,
    signal,
    depth = 0,
  }: { enter?: (name: string) => boolean; signal?: AbortSignal; depth?: number } = {},
): AsyncGenerator<Folder, void, void> {
  signal?.throwIfAborted();
  const items = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such folder" : whyUnreadable(cause);
    throw new PipeError(`${path}: ${why}.`, { hint: "Give the folder that holds the dataset.", cause });
  });
  const files: string[] = [];
  const folders: string[] = [];
  for (const item of items) {
    if (item.name.startsWith(".")) continue;
    const target = item.isSymbolicLink() ? await stat(join(path, item.name)).catch(() => undefined) : item;
    if (target?.isFile()) files.push(item.name);
    else if (target?.isDirectory() && enter(item.name)) folders.push(item.name);
  }
  yield { path, files: files.sort() };
  // Links may go in a circle.
  if (depth < DEEPEST)
    for (const name of folders.sort())
      yield* walk(join(path, name), { enter, depth: depth + 1, ...(signal && { signal }) });
}

const DEEPEST = 8;
