import { cores } from "../cores.ts";
import { PipeError } from "../errors.ts";
import { decodingOf } from "./decoding.ts";
import { judge } from "./ending.ts";
import { MAX_PIXELS } from "./formats.ts";
import { lend } from "./give-back.ts";
import { type FromWorker, IN_FLIGHT, type Job, PROGRESS, STOP } from "./libav-protocol.ts";
import { LibavThread } from "./libav-thread.ts";
import { Limits } from "./limits.ts";
import { openRegular } from "./open.ts";
import { missingBytes } from "./structure.ts";
import type { DecodedFrame, DecodeEnding, DecodeOptions, Decoding, Probe } from "./types.ts";

/** Bytes of pixels between the decoder's thread and the consumer. */
const BUDGET = 32 * 1024 * 1024;

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

/** Has a thread do one job and yields what it says; the thread is free, or has left, when the loop ends, in whatever way. */
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
  const threads = Math.min(16, cores() + 1);
  let thread: LibavThread | undefined;
  let answered = false;
  let broken = false;
  try {
    limits.signal.throwIfAborted();
    thread = LibavThread.take();
    thread.begin({ task, path, fd, maxPixels, fps, start, end, threads, budget: BUDGET, shared });
    for (;;) {
      const message = await limits.race(thread.next());
      if (message === undefined) return;
      if (message.kind === "frame") {
        const { image } = message.frame;
        const size = image.data.byteLength;
        if (options.recycle) lend(image, thread.giveRoom);
        yield message;
        Atomics.sub(counters, IN_FLIGHT, size);
        Atomics.notify(counters, IN_FLIGHT);
        continue;
      }
      if (message.kind === "bug") throw new Error(`${path}: ${message.message}`);
      answered = true;
      if (message.kind === "refused")
        throw new PipeError(message.message, message.hint === undefined ? {} : { hint: message.hint });
      yield message;
    }
  } catch (error) {
    broken = true;
    throw error;
  } finally {
    limits.close();
    Atomics.store(counters, STOP, 1);
    // The thread may sleep on the budget: a change of the value wakes it whatever it compared with.
    Atomics.store(counters, IN_FLIGHT, 0);
    Atomics.notify(counters, IN_FLIGHT);
    if (answered) thread?.free();
    else if (broken) await thread?.discard();
    else await thread?.stopped();
  }
}
