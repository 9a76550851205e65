import { PipeError } from "../errors.ts";
import { SharedPool } from "../stages/context.ts";
import type { Stages } from "../stages/define.ts";
import type { FromTaskProcess, ToTaskProcess } from "./process-protocol.ts";
import { Seeing } from "./state.ts";
import { type Outcome, runTask } from "./task.ts";

/** Milliseconds between two words about how far a task is. */
const BETWEEN = 200;
/** Milliseconds that a task has to close what it has open once the run is gone. */
const LAST = 10_000;

// The program of one of `TaskProcesses`. Its argument is the module of the stages.
const { stages } = (await import(process.argv[2]!)) as { stages: Stages };
const pool = new SharedPool();
let [stop, drain] = [new AbortController(), new AbortController()];
let working: Promise<void> = Promise.resolve();

// Signals go to the run, which says what is to be done.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {});
process.on("disconnect", orphaned);
process.on("message", (message: ToTaskProcess) => {
  if (message.kind === "do") working = work(message);
  else if (message.kind === "stop") stop.abort();
  else if (message.kind === "drain") drain.abort();
  else void working.then(close);
});

async function work({ task }: Extract<ToTaskProcess, { kind: "do" }>): Promise<void> {
  [stop, drain] = [new AbortController(), new AbortController()];
  const seeing = new Seeing();
  const timer = setInterval(() => say({ kind: "seen", seen: seeing.take() }), BETWEEN);
  const outcome = await runTask(task, {
    stages,
    signal: stop.signal,
    drain: drain.signal,
    pool,
    note: (message) => say({ kind: "note", message }),
    standing: (share, words) => say({ kind: "standing", share, words }),
    tap: (record, step) => {
      if (step === 0) seeing.add(record);
    },
  });
  clearInterval(timer);
  say({ kind: "seen", seen: seeing.take() });
  say({ kind: "ended", outcome: portable(outcome) });
}

/** Errors lose their class on the way: a PipeError's words are in the reason, and any other's stack is kept. */
function portable({ error, ...outcome }: Outcome): Outcome {
  if (error === undefined || error instanceof PipeError) return outcome;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { ...outcome, error: Object.assign(new Error(message), { stack }) };
}

/** However the run ended, nobody is left to work for: the task stops, as it does when the run says so. */
function orphaned(): void {
  drain.abort();
  stop.abort();
  setTimeout(() => process.kill(process.pid, "SIGKILL"), LAST).unref();
  void working.then(close);
}

async function close(): Promise<void> {
  await pool[Symbol.asyncDispose]().catch(() => {});
  process.exit(0);
}

function say(message: FromTaskProcess): void {
  if (process.connected) process.send?.(message, () => {});
}
