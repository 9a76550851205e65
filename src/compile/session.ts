import type { Worker } from "node:worker_threads";
import { cores } from "../cores.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { startWorker } from "../worker.ts";
import type { OnnxFile } from "./onnx-file.ts";
import type { Feed, Reply, Request, SessionInfo, SessionSettings, StateUse } from "./session-protocol.ts";
import type { Provider, Value } from "./types.ts";

type Body = Request extends infer R ? (R extends { id: number } ? Omit<R, "id"> : never) : never;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/**
 * ONNX Runtime sessions in a worker thread of their own, since a run blocks its thread: models of different hosts
 * overlap, and the main thread stays free. The thread starts with the first session and does not keep the process
 * alive unless something is under way.
 */
export class SessionHost {
  readonly #name: string;
  readonly #settings: SessionSettings;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #count = 0;
  #closed: Promise<void> | null = null;

  constructor(name: string, options: { provider?: Provider; threads?: number }) {
    this.#name = name;
    const threads = options.threads ?? cores();
    if (!Number.isInteger(threads) || threads < 1)
      throw new PipeError(`${name}: threads must be a whole number of at least 1, not ${threads}.`);
    this.#settings = { provider: options.provider ?? "cpu", threads };
  }

  /** Opens a model, taking the memory of its external data. Rejects with ONNX Runtime's reason when it is broken, or the provider is not there. */
  async open(
    model: Uint8Array,
    {
      optimisedPath,
      state,
      external,
    }: { optimisedPath?: string | undefined; state?: StateUse; external?: OnnxFile["external"] } = {},
  ): Promise<{ session: number; info: SessionInfo }> {
    const session = this.#count;
    const options = { ...(optimisedPath && { optimisedPath }), ...(state && { state }), ...(external && { external }) };
    // Gigabytes are handed over, not copied.
    const transfer = external?.map(({ data }) => data.buffer as ArrayBuffer);
    const reply = await this.#ask({ kind: "open", session, model, ...options }, transfer).catch((cause: unknown) => {
      const { provider } = this.#settings;
      if (provider === "cpu") throw cause;
      throw new PipeError(`${this.#name} cannot be opened with the provider ${provider}: ${reasonOf(cause)}`, {
        hint: "Leave the provider out to run on the processor.",
        cause,
      });
    });
    return { session, info: reply.info! };
  }

  /**
   * Runs a session, once it is open. The feeds are copied before this returns. With `steps`, so many runs on slices of
   * the feeds along their first axis. With `outputs`, those alone are computed and given.
   */
  async run(
    ready: number | Promise<number>,
    feeds: Record<string, Feed>,
    steps: number | null = null,
    outputs?: readonly string[],
  ): Promise<Record<string, Value>> {
    const { copies, transfer } = copied(feeds);
    const reply = await this.#ask(
      { kind: "run", session: await ready, feeds: copies, steps, ...(outputs && { outputs }) },
      transfer,
    );
    return reply.values!;
  }

  /** Puts entries into the state that the thread keeps for its runs. The values are copied before this returns. */
  async write(values: Record<string, Feed>): Promise<void> {
    const { copies, transfer } = copied(values);
    await this.#ask({ kind: "write", values: copies }, transfer);
  }

  /** Copies of entries of the state, which must be there. */
  async read(names: readonly string[]): Promise<Record<string, Value>> {
    const reply = await this.#ask({ kind: "read", names });
    return reply.values!;
  }

  /** Waits for what is under way, then ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    // Requests are answered in order, so this one comes back after all others.
    await this.#ask({ kind: "close" }).catch(() => {});
    this.#worker = null;
    await worker.terminate();
  }

  #ask(body: Body, transfer: ArrayBuffer[] = []): Promise<Reply> {
    if (this.#closed && body.kind !== "close")
      return Promise.reject(new PipeError(`${this.#name} was used after it was disposed.`));
    return new Promise<Reply>((resolve, reject) => {
      const worker = this.#start();
      const id = this.#count++;
      if (this.#pending.size === 0) worker.ref();
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ ...body, id } as Request, transfer);
    });
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = startWorker(new URL("./session-worker.ts", import.meta.url), { workerData: this.#settings });
    this.#worker = worker;
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error) => this.#fail(worker, reasonOf(error)));
    worker.on("exit", (code) => this.#fail(worker, `its thread ended with code ${code}`));
    worker.unref();
    return worker;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if (reply.error === undefined) pending?.resolve(reply);
    else pending?.reject(new PipeError(`${this.#name} failed in ONNX Runtime: ${reply.error}`));
  }

  /** The thread is gone, and with it every session: all that was asked of it fails, and so does what comes after. */
  #fail(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#closed ??= Promise.resolve();
    for (const { reject } of this.#pending.values())
      reject(new PipeError(`${this.#name} cannot go on: ${reason}.`, { hint: "Compile it again to start afresh." }));
    this.#pending.clear();
  }
}

function copied(feeds: Record<string, Feed>): { copies: Record<string, Feed>; transfer: ArrayBuffer[] } {
  const copies: Record<string, Feed> = {};
  const transfer: ArrayBuffer[] = [];
  for (const [name, { data, shape, type }] of Object.entries(feeds)) {
    const copy = data.slice();
    copies[name] = { data: copy, shape, type };
    transfer.push(copy.buffer as ArrayBuffer);
  }
  return { copies, transfer };
}
