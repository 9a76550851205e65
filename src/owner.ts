import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { digestOf } from "./digest.ts";

/** Whose something is: `elsewhere` is another machine or container, of which nothing can be known here. */
export type OwnerState = "alive" | "dead" | "elsewhere";

/** This process, in a form that outlives it: `<pid>-<process start>-<host>`. */
export function ownerTag(): string {
  return `${process.pid}-${startOf(process.pid)}-${HOST}`;
}

/** Whether the process that made a tag still runs; tells it from a later one that got the same process id. */
export async function ownerState(tag: string): Promise<OwnerState> {
  const [, pid, start, host] = /^(\d+)-(\d+)-([0-9a-f]{8})$/.exec(tag) ?? [];
  if (pid === undefined || host !== HOST) return "elsewhere";
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: there is such a process, another user's.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "dead";
  }
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return startIn(stat) === start && !isZombie(stat) ? "alive" : "dead";
}

// Process ids mean something only inside one pid namespace, so two containers under one hostname are two hosts.
const HOST = digestOf([hostname(), attempt(() => readlinkSync("/proc/self/ns/pid"))]).slice(0, 8);

/** Clock ticks from boot to the process's start where the system tells (Linux), "0" elsewhere. */
function startOf(pid: number): string {
  return startIn(attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1")));
}

/** Field 22 of proc(5)'s stat; the second field, the command, may itself hold spaces and brackets. */
function startIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
}

/** Killed, but not yet collected by its parent: it holds nothing any more. */
function isZombie(stat: string): boolean {
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
