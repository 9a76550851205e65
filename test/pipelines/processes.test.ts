import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { TaskProcesses } from "../../src/pipelines/processes.ts";
import { type RunOptions, run } from "../../src/pipelines/run.ts";
import type { Progress, RunState } from "../../src/pipelines/state.ts";
import { file, seen, stages } from "./fakes.ts";
import { temporary } from "./temporary.ts";

const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;
const module = new URL("./fakes.ts", import.meta.url);

async function go(input: string, output: string, options: Partial<RunOptions> = {}) {
  return run(bind(pipeline, stages, { input: [input], output }), { stages, ...options });
}

async function sums(output: string): Promise<Record<string, string>> {
  const names = (await readdir(output)).filter((name) => name.endsWith(".sum")).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(path.join(output, name), "utf8")])),
  );
}

it("tasks in processes of their own end as they do here, bad ones too", async () => {
  const input = await temporary();
  const contents = { a: "abc", b: "a!c", c: "xbc", "d.no": "", e: "abcdef", f: "abc" };
  for (const [name, text] of Object.entries(contents)) await writeFile(path.join(input, name), text);
  const [here, there] = [await temporary(), await temporary()];
  const one = await go(input, here);
  seen.begun = [];
  let frames = 0;
  let media = 0;
  const notes: string[] = [];
  const progress: Progress = {
    begin(state: RunState) {
      this.end = () => {
        frames = state.frames;
        media = state.mediaSeconds;
      };
    },
    item() {},
    note: (message) => void notes.push(message),
    end() {},
  };
  await using processes = new TaskProcesses(2, module);
  const two = await go(input, there, { jobs: 2, perform: processes.perform, progress });
  expect(seen.begun).toEqual([]);
  const counted = ({ report }: typeof one) =>
    report.items.reduce((sum, { status, counts }) => (status === "cached" ? sum : sum + counts.decoded), 0);
  const shown = ({ report }: typeof one) => report.items.map(({ stages: _, ...item }) => item);
  expect(shown(two)).toEqual(shown(one));
  const moved = Object.entries(await sums(there)).map(([name, text]) => [name, text.replace(there, here)]);
  expect(Object.fromEntries(moved)).toEqual(await sums(here));
  expect(two.exitCode).toBe(2);
  expect(frames).toBe(counted(one));
  expect(media).toBeGreaterThan(0);
  expect(notes.join()).toMatch(/b: this is a bug: .*exclamation/);

  // What was done here is found there; and a new one is done.
  await writeFile(path.join(input, "g"), "g");
  const again = await go(input, here, { jobs: 2, perform: processes.perform });
  expect(again.report.items.map(({ status }) => status)).toEqual([
    "cached",
    "failed",
    "partial",
    "failed",
    "cached",
    "cached",
    "done",
  ]);
});

it("a task whose process dies fails alone, and what is interrupted is stopped", async () => {
  const [input, output] = [await temporary(), await temporary()];
  for (const [name, text] of Object.entries({ a: "abc", b: "a^c", c: "bc", d: "d" }))
    await writeFile(path.join(input, name), text);
  await using processes = new TaskProcesses(2, module);
  const { report } = await go(input, output, { jobs: 2, perform: processes.perform });
  expect(report.items.map(({ source, status, reason }) => [source.name, status, reason])).toEqual([
    ["a", "done", undefined],
    ["b", "failed", "The process that worked on it ended too soon (SIGKILL)."],
    ["c", "done", undefined],
    ["d", "done", undefined],
  ]);
  await writeFile(path.join(input, "a"), "a~");
  const drain = new AbortController();
  const stopped = await go(input, await temporary(), {
    drain: drain.signal,
    perform(task, tools) {
      setTimeout(() => drain.abort(), 50);
      return processes.perform(task, tools);
    },
  });
  expect(stopped.exitCode).toBe(130);
  expect(stopped.report.items.map(({ status }) => status)).toEqual(["stopped"]);
});

it.runIf(process.platform === "linux")("processes end when the run is killed", async () => {
  const [input, output] = [await temporary(), await temporary()];
  for (const name of ["a", "b"]) await writeFile(path.join(input, name), `${name}~`);
  const program = fileURLToPath(new URL("./jobs-main.ts", import.meta.url));
  const run = spawn(process.execPath, ["--import", "tsx", program, input, output], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let begun = 0;
  for await (const text of run.stdout) {
    begun += String(text).split("begun").length - 1;
    if (begun >= 2) break;
  }
  const children = (await readFile(`/proc/${run.pid}/task/${run.pid}/children`, "utf8")).trim().split(" ").map(Number);
  const processes: number[] = [];
  for (const pid of children)
    if ((await readFile(`/proc/${pid}/cmdline`, "latin1")).includes("task-process")) processes.push(pid);
  expect(processes).toHaveLength(2);
  run.kill("SIGKILL");
  // One that went on would exceed the test's time.
  for (const pid of processes) while (await isRunning(pid)) await sleep(20);
});

/** Whether there is such a process, and more of it than an exit code that nobody has collected. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat !== "" && !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
}
