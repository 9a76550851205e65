import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { PipeError } from "../errors.ts";
import { startWorker } from "../worker.ts";
import { decodingOf } from "./decoding.ts";
import { judge } from "./ending.ts";
import { MAX_PIXELS } from "./formats.ts";
import { type FromWorker, IN_FLIGHT, type Job, PROGRESS, STOP } from "./libav-protocol.ts";
import { Limits } from "./limits.ts";
import { openRegular } from "./open.ts";
import { missingBytes } from "./structure.ts";
import type { DecodedFrame, DecodeEnding, DecodeOptions, Decoding, Probe } from "./types.ts";

/** Bytes of pixels between the decoder's thread and the consumer. */
const BUDGET = 32 * 1024 * 1024;
/** How long a thread that was told to stop may take to close what it opened, milliseconds. */
const GRACE = 2000;

/** Decodes with the libav inside node-av, in a worker thread; pixels are handed over without a copy. */
export function decodeWithLibav(path: string, options: DecodeOptions): Decoding {
  return decodingOf(path, async function* (): AsyncGenerator<DecodedFrame, DecodeEnding, void> {
    const { handle, bytes } = await openRegular(path);
    try {
      const missing = await missingBytes(handle, bytes);
      for await (const message of converse(path, "decode", handle.fd, options)) {
        if (message.kind === "frame") yield message.frame;
        else if (message.kind === "end") return judge({ ...message.outcome, missingBytes: missing });
      }
      throw new Error(`${path}: the decoder's thread ended without a word.`);
    } finally {
      await handle.close();
    }
  });
}

/** What the file says of itself, read by the libav inside node-av. */
export async function probeWithLibav(path: string, options: DecodeOptions): Promise<Probe> {
  const { handle } = await openRegular(path);
  try {
    for await (const message of converse(path, "probe", handle.fd, options))
      if (message.kind === "probe") return message.probe;
    throw new Error(`${path}: the decoder's thread ended without a word.`);
  } finally {
    await handle.close();
  }
}

/** Starts a worker for one job and yields what it says; ends the worker when the loop ends, in whatever way. */
async function* converse(
  path: string,
  task: Job["task"],
  fd: number,
  options: DecodeOptions,
): AsyncGenerator<FromWorker, void, void> {
  const shared = new SharedArrayBuffer(12);
  const counters = new Int32Array(shared);
  const { fps, start, end, maxPixels = MAX_PIXELS } = options;
  const limits = new Limits(path, options, () => Atomics.load(counters, PROGRESS));
  const threads = Math.min(16, availableParallelism() + 1);
  const job: Job = { task, path, fd, maxPixels, fps, start, end, threads, budget: BUDGET, shared };
  let worker: Worker | undefined;
  try {
    limits.signal.throwIfAborted();
    worker = startWorker(new URL("./libav-worker.ts", import.meta.url), { workerData: job });
    const inbox = mailbox(worker);
    for (;;) {
      const message = await limits.race(inbox.next());
      if (message === undefined) return;
      if (message.kind === "refused")
        throw new PipeError(message.message, message.hint === undefined ? {} : { hint: message.hint });
      if (message.kind === "bug") throw new Error(`${path}: ${message.message}`);
      const size = message.kind === "frame" ? message.frame.image.data.byteLength : 0;
      yield message;
      Atomics.sub(counters, IN_FLIGHT, size);
      Atomics.notify(counters, IN_FLIGHT);
    }
  } finally {
    limits.close();
    Atomics.store(counters, STOP, 1);
    // The thread may sleep on the budget: a change of the value wakes it whatever it compared with.
    Atomics.store(counters, IN_FLIGHT, 0);
    Atomics.notify(counters, IN_FLIGHT);
    if (worker) await ended(worker);
  }
}

/** Messages in order; undefined once the thread is gone. An error in the thread rejects. */
function mailbox(worker: Worker): { next(): Promise<FromWorker | undefined> } {
  const messages: FromWorker[] = [];
  let gone = false;
  let failure: Error | undefined;
  let wake = (): void => {};
  worker.on("message", (message: FromWorker) => {
    messages.push(message);
    wake();
  });
  worker.on("error", (error) => {
    failure = error;
    wake();
  });
  worker.on("exit", () => {
    gone = true;
    wake();
  });
  return {
    async next() {
      while (messages.length === 0 && !gone && !failure)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (failure) throw failure;
      return messages.shift();
    },
  };
}

/** Waits until the thread has closed what it opened and left; a thread that hangs in native code is ended by force. */
async function ended(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return;
  const left = once(worker, "exit");
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(resolve, GRACE, "late");
  });
  const first = await Promise.race([left, late]);
  clearTimeout(timer);
  // A thread stuck inside a system call cannot be ended before the call returns; nothing waits for it.
  if (first === "late") void worker.terminate();
}
