import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { PipeError } from "./errors.ts";

/**
 * The error to throw when writing failed: a PipeError that names the path and the cause where the operating system
 * refused something, the error itself where it is anything else.
 */
export function diskError(error: unknown, path: string): unknown {
  if (error instanceof PipeError || !(error instanceof Error) || !("code" in error)) return error;
  const code = String(error.code);
  // Only errors of system calls name one: others with a code are Node's own, and bugs.
  if (CAUSES[code] === undefined && !("syscall" in error)) return error;
  const [why, hint] = CAUSES[code] ?? [error.message.replace(/^\w+: |, .*$/g, ""), "Choose another output folder."];
  return new PipeError(`Cannot write ${path}: ${why} (${code}).`, { hint, cause: error });
}

/** Writes all of every chunk at `position`, however many writes the system needs for it. */
export async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let at = position;
  for (const chunk of chunks) {
    for (let done = 0; done < chunk.byteLength; ) {
      const { bytesWritten } = await handle.write(chunk, done, chunk.byteLength - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
}

/**
 * Makes a folder and those above it. Unlike Node's own recursive mkdir it rejects with the system's true reason, ends where
 * a file system refuses new names with ENOENT (/proc: Node tries for ever), and bears that others remove an empty folder on
 * the way at the same time.
 */
export async function makeFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(path);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
      const above = dirname(path);
      if (code !== "ENOENT" || above === path || attempt === ATTEMPTS) throw error;
      await makeFolder(above);
    }
  }
}

/** How often the folder above may vanish between being made and being used. */
const ATTEMPTS = 10;

/** Makes the names in a folder durable; a no-op where folders cannot be opened (Windows). */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const FREE_SPACE = "Free some space or choose another output folder; nothing half-written was left behind.";
const WRITABLE = "Choose an output folder that this user may write to.";
const CAUSES: Record<string, readonly [why: string, hint: string]> = {
  ENOSPC: ["the disk is full", FREE_SPACE],
  EDQUOT: ["the disk quota is used up", FREE_SPACE],
  EFBIG: ["the file grew past the size limit of this system or shell (ulimit -f)", "Raise the limit."],
  EROFS: ["the file system is read-only", WRITABLE],
  EACCES: ["permission denied", WRITABLE],
  EPERM: ["permission denied", WRITABLE],
  ENOENT: ["the folder cannot be made there", "Choose another output folder."],
  ENOTDIR: ["a part of the path is a file, not a folder", "Choose another output folder."],
  EEXIST: ["a file stands where a folder is needed", "Choose another output folder."],
  ENAMETOOLONG: ["the name is too long", "Choose an output folder with a shorter path."],
  ELOOP: ["its symbolic links lead in a circle", "Choose another output folder."],
  EBUSY: ["another program is using it", "Close that program, or choose another output folder."],
  EMFILE: ["this process has too many files open", "Raise the limit (ulimit -n), or use fewer --jobs."],
  EIO: ["the disk reported an error", "Check the disk."],
};
