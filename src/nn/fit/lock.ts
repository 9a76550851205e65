import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../disk.ts";
import { PipeError } from "../../errors.ts";
import { ownerState, ownerTag } from "../../owner.ts";

const FREE = "free";

/**
 * The right to train into a folder, for one process at a time; a process that was killed holds nothing.
 *
 * `.lock/<n>` says who has the turn n. The turn n + 1 is taken by linking a file to that name, which one process alone
 * can do, and only once the holder of n has given it back or died. Numbers never fall, so a slow reader cannot take a
 * turn that is over.
 */
export class FolderLock implements AsyncDisposable {
  readonly #file: string;
  readonly #place: string;

  private constructor(place: string, file: string) {
    this.#place = place;
    this.#file = file;
  }

  /** Throws a PipeError that names the holder when the folder is taken. */
  static async take(folder: string): Promise<FolderLock> {
    const place = join(folder, ".lock");
    await makeFolder(place);
    const draft = join(place, `draft-${ownerTag()}-${randomUUID()}`);
    await writeFile(draft, ownerTag());
    try {
      for (;;) {
        const turn = (await turns(place)).at(-1) ?? 0;
        if (turn > 0) await refuseIfHeld(folder, join(place, String(turn)));
        const file = join(place, String(turn + 1));
        if (!(await linked(draft, file))) continue;
        const now = await turns(place);
        if (now.at(-1) === turn + 1) {
          for (const old of now.slice(0, -1)) await rm(join(place, String(old)), { force: true });
          await sweep(place);
          return new FolderLock(place, file);
        }
        // The list was old: others had this turn and gave it back.
        await rm(file, { force: true });
      }
    } finally {
      await rm(draft, { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const given = join(this.#place, `free-${ownerTag()}-${randomUUID()}`);
    try {
      await writeFile(given, FREE);
      await rename(given, this.#file);
    } catch {
      // The folder was removed, and the lock with it.
    }
  }
}

async function turns(place: string): Promise<number[]> {
  const names = await readdir(place);
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Removes what killed processes left beside the turns. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    const [, tag] = /^(?:draft|free)-(\d+-\d+-[0-9a-f]{8})-/.exec(name) ?? [];
    if (tag !== undefined && (await ownerState(tag)) === "dead") await rm(join(place, name), { force: true });
  }
}

async function refuseIfHeld(folder: string, file: string): Promise<void> {
  const holder = await readFile(file, "utf8").catch(() => FREE);
  if (holder === FREE) return;
  const state = await ownerState(holder);
  if (state === "dead") return;
  const [pid] = holder.split("-");
  throw new PipeError(
    `${folder}: ${state === "alive" ? `process ${pid} is training into it.` : "a process of another machine is training into it."}`,
    {
      hint:
        state === "alive"
          ? "Wait until it ends, or choose another folder."
          : `Choose another folder; if that process is gone, remove ${file}.`,
    },
  );
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
