import { randomBytes } from "node:crypto";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { diskError, makeFolder } from "../disk.ts";
import { type OwnerState, ownerState, ownerTag } from "../owner.ts";

/** Where unfinished work lies inside an output folder. */
export const TEMP = ".tmp";

/**
 * A folder for unfinished work beside the published one, on the same file system, so that a rename publishes it.
 * Its name says who owns it (`<owner>-<random>`, see `ownerTag`), so that a later writer can tell the work of a
 * crashed run from that of a live one. Disposing removes it with all that is still inside.
 */
export class TempFolder implements AsyncDisposable {
  readonly path: string;
  readonly #root: string;

  private constructor(root: string, path: string) {
    this.#root = root;
    this.path = path;
  }

  /** Makes the folder in `output` and removes those that crashed runs left there. Throws PipeError when it cannot. */
  static async make(output: string): Promise<TempFolder> {
    const root = join(output, TEMP);
    const path = join(root, `${ownerTag()}-${randomBytes(6).toString("hex")}`);
    try {
      await sweep(output);
      await makeFolder(path);
    } catch (error) {
      throw diskError(error, path);
    }
    return new TempFolder(root, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(this.path);
    await rmdir(this.#root).catch(() => {});
  }
}

/** What cannot be removed now does no harm, and a later run tries again: the work itself is published, or has failed. */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch((error) => {
    if (!("syscall" in error)) throw error;
  });
}

/** Every name in the output's temp folder with its owner's state; what has no owner's name is of "elsewhere". */
export async function leftovers(output: string): Promise<{ name: string; owner: OwnerState }[]> {
  const names = await readdir(join(output, TEMP)).catch(() => []);
  return Promise.all(names.map(async (name) => ({ name, owner: await ownerState(tagIn(name)) })));
}

/** Removes what crashed runs of this machine left in the output's temp folder. */
export async function sweep(output: string): Promise<void> {
  for (const { name, owner } of await leftovers(output)) if (owner === "dead") await remove(join(output, TEMP, name));
}

/** All before the last hyphen. */
function tagIn(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("-")));
}
