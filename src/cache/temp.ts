import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { digestOf } from "../digest.ts";
import { diskError, makeFolder } from "./disk.ts";

/** Where unfinished work lies inside an output folder. */
export const TEMP = ".tmp";

/**
 * A folder for unfinished work beside the published one, on the same file system, so that a rename publishes it.
 * Its name says who owns it (`<pid>-<process start>-<host>-<random>`), so that a later writer can tell the work of a
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
    const path = join(root, `${process.pid}-${startOf(process.pid)}-${HOST}-${randomBytes(6).toString("hex")}`);
    try {
      await sweep(output);
      await makeFolder(path);
    } catch (error) {
      throw diskError(error, path);
    }
    return new TempFolder(root, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await rmdir(this.#root).catch(() => {});
  }
}

/** Whose work a name in the temp folder is. */
export type Owner = "alive" | "dead" | "elsewhere";

/** Every name in the output's temp folder with its owner's state; "elsewhere" is another machine or container. */
export async function leftovers(output: string): Promise<{ name: string; owner: Owner }[]> {
  const names = await readdir(join(output, TEMP)).catch(() => []);
  return Promise.all(names.map(async (name) => ({ name, owner: await ownerOf(name) })));
}

/** Removes what crashed runs of this machine left in the output's temp folder. */
export async function sweep(output: string): Promise<void> {
  for (const { name, owner } of await leftovers(output))
    if (owner === "dead") await rm(join(output, TEMP, name), { recursive: true, force: true });
}

async function ownerOf(name: string): Promise<Owner> {
  const [, pid, start, host] = /^(\d+)-(\d+)-([0-9a-f]{8})-/.exec(name) ?? [];
  if (pid === undefined || host !== HOST) return "elsewhere";
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: there is such a process, another user's.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "dead";
  }
  // Process ids are used again: the start time tells the owner from a later namesake.
  return (await startLater(Number(pid))) === start ? "alive" : "dead";
}

// Process ids mean something only inside one pid namespace, so two containers under one hostname are two hosts.
const HOST = digestOf([hostname(), attempt(() => readlinkSync("/proc/self/ns/pid"))]).slice(0, 8);

/** Clock ticks from boot to the process's start where the system tells (Linux), "0" elsewhere. */
function startOf(pid: number): string {
  return startIn(attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1")));
}

async function startLater(pid: number): Promise<string> {
  return startIn(await readFile(`/proc/${pid}/stat`, "latin1").catch(() => ""));
}

/** Field 22 of proc(5)'s stat; the second field, the command, may itself hold spaces and brackets. */
function startIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
