import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { digestOf } from "../digest.ts";
import { syncFolder } from "../disk.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors, type StoredType } from "./safetensors.ts";
import type { Weights } from "./weights.ts";

/** A checkpoint file, read whole. */
export interface Checkpoint {
  readonly weights: Weights;
  /** Free text by name: what trained it, with which options. */
  readonly metadata: Readonly<Record<string, string>>;
  /** sha256 of the file, hex. */
  readonly digest: string;
}

/** Reads a `.safetensors` file. Throws a PipeError that names the file when it cannot be read or is not sound. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await bytesOf(path);
  try {
    return { ...decodeSafetensors(bytes), digest: digestOf(bytes) };
  } catch (error) {
    throw new PipeError(`${path}: ${reasonOf(error)}`, {
      cause: error,
      hint: "A checkpoint is a .safetensors file with F32 or F16 tensors.",
    });
  }
}

/**
 * Publishes weights as a `.safetensors` file: written beside, synced, renamed, so that a reader sees the old file or
 * the new one. Returns the sha256 of the file.
 */
export async function writeCheckpoint(
  path: string,
  weights: Weights,
  options: { metadata?: Readonly<Record<string, string>>; dtype?: StoredType } = {},
): Promise<string> {
  const bytes = encodeSafetensors(weights, options);
  const folder = dirname(path);
  const beside = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  try {
    await using file = await open(beside, "w");
    await file.writeFile(bytes);
    await file.sync();
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw new PipeError(`${path}: the checkpoint could not be written: ${reasonOf(error)}`, { cause: error });
  }
  await syncFolder(folder);
  return digestOf(bytes);
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    // A FIFO or a device would block or never end.
    if (!(await stat(path)).isFile()) throw new PipeError("it is not a regular file.");
    return await readFile(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new PipeError(
      `${path}: the checkpoint ${missing ? "does not exist." : `cannot be read: ${reasonOf(error)}`}`,
      {
        cause: error,
      },
    );
  }
}
