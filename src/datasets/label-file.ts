import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { digestOf } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { labelsIn } from "./label-csv.ts";
import { textOf } from "./label-encoding.ts";
import { findLabelFile } from "./label-path.ts";
import type { LabelFile, LabelRange } from "./types.ts";

/** Bytes of the largest label file that is read: more than a million labels. */
const LARGEST = 64 * 2 ** 20;

/**
 * The labels beside a video (`findLabelFile` tells where), with the sha256 (hex) of their file; undefined where there is
 * no such file.
 *
 * @param declared the range of labels whose file declares none
 * @throws PipeError that names file and line where they cannot be used: see {@link labelsIn}; and for a file that is too
 * large to be held in memory
 */
export async function readLabelFile(
  video: string,
  declared: LabelRange,
): Promise<{ labels: LabelFile; digest: string } | undefined> {
  const path = await findLabelFile(video);
  if (path === undefined) return undefined;
  const unreadable = (error: unknown): never => {
    throw new PipeError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  };
  const found = await stat(path).catch(unreadable);
  // A pipe would keep its reader waiting for ever.
  if (!found.isFile())
    throw new PipeError(`${path} is not a regular file.`, { hint: "Labels are one CSV file a video." });
  if (found.size > LARGEST)
    throw new PipeError(
      `${path} has ${Math.round(found.size / 2 ** 20)} MiB, and label files of up to ${LARGEST / 2 ** 20} MiB are read.`,
      { hint: "Leave out what is no label, or keep fewer labels a second: a frame takes the nearest one." },
    );
  const bytes = await readFile(path).catch(unreadable);
  const file = basename(path);
  return { labels: labelsIn(file, textOf(file, bytes), declared), digest: digestOf(bytes) };
}
