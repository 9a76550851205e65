import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { startWorker } from "../worker.ts";
import type { FromWorker, Job, ToWorker } from "./libav-protocol.ts";

/** How long a thread that was told to stop may take to close what it opened, milliseconds. */
const GRACE = 2000;
/** How long a thread waits for the next video, milliseconds. */
const PATIENCE = 10_000;
/** Starting a thread and libav in it costs about as much as decoding a hundred small frames, so a few stay. */
const MOST_IDLE = Math.max(2, availableParallelism());

const idle: LibavThread[] = [];

/**
 * A thread with libav in it, which does one job at a time. Idle ones wait a while for the next video, so that only the first
 * pays for the start; they do not keep the process alive.
 */
export class LibavThread {
  readonly #worker: Worker;
  readonly #messages: FromWorker[] = [];
  readonly #exit: Promise<true>;
  #gone = false;
  #failure: Error | undefined;
  #wake = (): void => {};
  #patience: NodeJS.Timeout | undefined;

  /** How many wait for a video now. */
  static get idle(): number {
    return idle.length;
  }

  /** An idle thread, or a new one. Whoever takes it calls `free` or `discard` in the end. */
  static take(): LibavThread {
    const waiting = idle.pop();
    if (!waiting) return new LibavThread();
    clearTimeout(waiting.#patience);
    waiting.#worker.ref();
    return waiting;
  }

  private constructor() {
    this.#worker = startWorker(new URL("./libav-worker.ts", import.meta.url));
    this.#worker.on("message", (message: FromWorker) => {
      this.#messages.push(message);
      this.#wake();
    });
    this.#worker.on("error", (error) => {
      this.#failure = error;
      this.#leaveIdle();
      this.#wake();
    });
    this.#exit = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#gone = true;
        this.#leaveIdle();
        this.#wake();
        resolve(true);
      });
    });
  }

  begin(job: Job): void {
    this.#post({ kind: "job", job });
  }

  /** The next message of the job; undefined once the thread is gone. An error in the thread rejects. */
  async next(): Promise<FromWorker | undefined> {
    while (this.#messages.length === 0 && !this.#gone && !this.#failure)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure) throw this.#failure;
    return this.#messages.shift();
  }

  /** Takes memory for frames to come, of this job or the next. */
  readonly giveRoom = (buffer: ArrayBuffer): void => {
    // Handed over, not copied: who still holds the pixels sees none at all rather than those of another frame.
    if (!this.#gone) this.#post({ kind: "room", buffer }, [buffer]);
  };

  /** The job was answered to its end: the thread waits for another. */
  free(): void {
    if (this.#gone || this.#failure) return;
    this.#worker.unref();
    idle.push(this);
    this.#patience = setTimeout(() => this.#dismiss(), PATIENCE).unref();
    if (idle.length > MOST_IDLE) idle[0]!.#dismiss();
  }

  /** For a job that was told to stop and is sound: waits until it has closed what it opened; the thread is free then. */
  async stopped(): Promise<void> {
    const answered = this.#answer().catch(() => false);
    if (await inTime(answered)) this.free();
    else await this.discard();
  }

  /**
   * For a job that was told to stop and may be in trouble: waits until it has closed what it opened and the thread has left;
   * one that hangs in native code is ended by force.
   */
  async discard(): Promise<void> {
    this.#post({ kind: "leave" });
    // A thread stuck inside a system call cannot be ended before the call returns; nothing waits for it.
    if (!(await inTime(this.#exit))) void this.#worker.terminate();
  }

  async #answer(): Promise<boolean> {
    for (;;) {
      const message = await this.next();
      if (message?.kind !== "frame") return message !== undefined && message.kind !== "bug";
    }
  }

  #dismiss(): void {
    this.#leaveIdle();
    this.#post({ kind: "leave" });
  }

  #leaveIdle(): void {
    clearTimeout(this.#patience);
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

/** False when the promise takes longer than a thread may take to stop. */
async function inTime(promise: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, GRACE, false);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
