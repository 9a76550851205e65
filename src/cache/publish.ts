import { rename, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { diskError, makeFolder, syncFolder } from "../disk.ts";
import { checkEntry } from "./check.ts";
import type { TempFolder } from "./temp.ts";

/**
 * Puts a finished, durable entry folder from a temp folder into its place, in one rename. An intact entry that is
 * already there stays and ours is dropped, so that two runs at once both succeed; a broken one is moved aside first,
 * so that a reader finds the broken one, none, or ours, and never a half.
 *
 * @param isIntact whether what stands in the place may stay; by default, whether it is an intact cache entry
 * @returns true when ours was published, false when an intact one was there
 */
export async function publish(
  temp: TempFolder,
  entry: string,
  place: string,
  isIntact: (place: string) => Promise<boolean> = isIntactEntry,
): Promise<boolean> {
  const parent = dirname(place);
  try {
    await syncFolder(entry);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await makeFolder(parent);
      if (await moved(entry, place)) {
        await syncFolder(parent);
        await syncFolder(dirname(parent));
        return true;
      }
      if (await isIntact(place)) return false;
      await moved(place, join(temp.path, `broken-${attempt}`));
    }
  } catch (error) {
    await rmdir(parent).catch(() => {});
    throw diskError(error, place);
  }
  throw new Error(`${place} was broken again after each of ${ATTEMPTS} tries to replace it`);
}

async function isIntactEntry(place: string): Promise<boolean> {
  return (await checkEntry(place, { trust: false })).problems.length === 0;
}

/** Each lost attempt means that another run put an entry there in between. */
const ATTEMPTS = 10;

/** Renames unless something stands in the way or the thing itself is gone. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const taken = code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR" || code === "EPERM";
    if (taken && (await exists(to))) return false;
    if (code === "ENOENT" && !(await exists(from))) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
