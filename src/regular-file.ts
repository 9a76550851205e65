import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { PipeError } from "./errors.ts";

/**
 * Opens a file for reading, and only a file: a pipe (FIFO) or a device would wait, or never end.
 *
 * @throws PipeError where it is none; what the system says where it cannot be opened
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  // Without blocking: opening a pipe waits for somebody who writes to it.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new PipeError(`${path} is not a regular file.`, { hint: "Put a file there, or remove what has its name." });
}

/** All bytes of a regular file; see {@link openRegularFile}. */
export async function readRegularFile(path: string): Promise<Buffer> {
  await using handle = await openRegularFile(path);
  return await handle.readFile();
}
