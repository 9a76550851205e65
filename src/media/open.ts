import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { PipeError } from "../errors.ts";

export interface RegularFile {
  readonly handle: FileHandle;
  readonly bytes: number;
}

/**
 * Opens a regular file for reading; whoever calls closes the handle. Never blocks: what the name stands for is looked at before
 * and, because it may have been exchanged in between, once more on the open descriptor.
 *
 * @throws PipeError for what is absent, empty, unreadable, or not a regular file (folder, FIFO, socket, device).
 */
export async function openRegular(path: string): Promise<RegularFile> {
  try {
    checkRegular(path, await stat(path));
    // O_NONBLOCK: a FIFO that took the file's place would otherwise wait for a writer.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const now = await handle.stat();
      checkRegular(path, now);
      if (now.size === 0) throw new PipeError(`${path}: the file is empty.`, { hint: "Was it copied completely?" });
      return { handle, bytes: now.size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof PipeError) throw error;
    throw new PipeError(`${path}: ${whyUnreadable(error)}.`, { cause: error });
  }
}

/** What a directory entry is, in words, when it is not a regular file. */
export function kindOf(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe (FIFO)";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

/** A system error about a path, as a clause. */
export function whyUnreadable(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "it may not be read (permission denied)";
    case "ELOOP":
      return "its symbolic links go in a circle";
    default:
      return `it cannot be opened (${(error as Error).message})`;
  }
}

function checkRegular(path: string, stats: Stats): void {
  const kind = kindOf(stats);
  if (kind) throw new PipeError(`${path}: is ${kind}, not a regular file.`, { hint: "Only regular files are read." });
}
