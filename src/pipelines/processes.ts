import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CORES_VARIABLE, cores } from "../cores.ts";
import { Ledger } from "../ledger.ts";
import type { Task } from "./plan.ts";
import type { FromTaskProcess, ToTaskProcess } from "./process-protocol.ts";
import type { Perform, PerformTools } from "./run.ts";
import type { Outcome } from "./task.ts";

/**
 * Does tasks in processes of their own, one at a time in each, which share the cores evenly. Models are opened once a
 * process. A process that dies, from a crash in native code or for want of memory, fails the task that it had and is
 * followed by another. Processes end with this one, however it ends.
 *
 *     await using processes = new TaskProcesses();
 *     await run(pipeline, { jobs, perform: processes.perform, … });
 */
export class TaskProcesses implements AsyncDisposable {
  readonly #share: number;
  readonly #stages: URL;
  readonly #idle: TaskProcess[] = [];
  readonly #all = new Set<TaskProcess>();

  /**
   * @param count how many tasks will be done at once.
   * @param stages module whose `stages` the processes know, by its source's URL.
   */
  constructor(count: number, stages = new URL("../stages/index.ts", import.meta.url)) {
    this.#share = Math.max(1, Math.floor(cores() / count));
    this.#stages = stages;
  }

  readonly perform: Perform = async (task, tools) => {
    const process = this.#rested() ?? new TaskProcess(this.#stages, this.#share);
    this.#all.add(process);
    const outcome = await process.perform(task, tools);
    if (process.alive) this.#idle.push(process);
    else this.#all.delete(process);
    return outcome;
  };

  /** One that waits for a task, and did not die meanwhile. */
  #rested(): TaskProcess | undefined {
    for (let process = this.#idle.pop(); process; process = this.#idle.pop()) {
      if (process.alive) return process;
      this.#all.delete(process);
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((process) => process.end()));
  }
}

class TaskProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  alive = true;

  constructor(stages: URL, share: number) {
    const compiled = import.meta.url.endsWith(".js");
    const file = (url: URL) => (compiled ? url.href.replace(/\.ts$/, ".js") : url.href);
    this.#child = fork(fileURLToPath(file(new URL("./task-process.ts", import.meta.url))), [file(stages)], {
      // Sources are loaded through tsx.
      execArgv: compiled ? [] : ["--import", import.meta.resolve("tsx")],
      env: { ...process.env, [CORES_VARIABLE]: String(share) },
      serialization: "advanced",
      // A Ctrl-C of the terminal is for the run, which tells its processes what to do.
      detached: process.platform !== "win32",
    });
    // A process that has gone cannot be told anything: its end says so.
    this.#child.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.alive = false;
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }

  perform(task: Task, { signal, drain, note, standing, heard }: PerformTools): Promise<Outcome> {
    const startedAt = performance.now();
    const stop = () => this.#say({ kind: "stop" });
    const save = () => this.#say({ kind: "drain" });
    return new Promise<Outcome>((resolve) => {
      const hear = (message: FromTaskProcess): void => {
        if (message.kind === "note") note(message.message);
        else if (message.kind === "standing") standing(message.share, message.words);
        else if (message.kind === "seen") heard(message.seen);
        else end(message.outcome);
      };
      const end = (outcome: Outcome): void => {
        this.#child.off("message", hear);
        signal.removeEventListener("abort", stop);
        drain.removeEventListener("abort", save);
        resolve(outcome);
      };
      void this.#ended.then((how) => end(lost(how, (performance.now() - startedAt) / 1000)));
      this.#child.on("message", hear);
      signal.addEventListener("abort", stop);
      drain.addEventListener("abort", save);
      this.#say({ kind: "do", task });
      if (drain.aborted) save();
      if (signal.aborted) stop();
    });
  }

  /** Lets it close what it has open, and waits until it has. */
  async end(): Promise<void> {
    if (this.alive) this.#say({ kind: "end" });
    await this.#ended;
  }

  #say(message: ToTaskProcess): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

function lost(how: string, seconds: number): Outcome {
  const reason = `The process that worked on it ended too soon (${how}).`;
  const { counts } = new Ledger();
  return { status: "failed", reason, verdict: null, counts, seconds, stages: {}, facts: {}, artifacts: [] };
}
