import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";

/** What a decoding could leave behind: open files, child processes, threads of workers, temporary files. */
export function belongings(): { files: string[]; children: string[]; workers: number; temporary: string[] } {
  const files = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("/") && !target.startsWith("/dev/") && !target.startsWith("/proc/") ? [target] : [];
    } catch {
      return [];
    }
  });
  const children = readdirSync("/proc/self/task").flatMap((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean);
    } catch {
      return [];
    }
  });
  const workers = process.getActiveResourcesInfo().filter((name) => name === "MessagePort" || name === "Worker").length;
  return { files: files.sort(), children, workers, temporary: readdirSync(tmpdir()).sort() };
}

/** Waits a little for the system to catch up, then compares. */
export async function expectNothingLeft(before: ReturnType<typeof belongings>): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    if (JSON.stringify(belongings()) === JSON.stringify(before)) return;
    await sleep(20);
  }
  expect(belongings()).toEqual(before);
}
