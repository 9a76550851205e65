import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Worker } from "node:worker_threads";
import { PipeError } from "../errors.ts";
import type { Window } from "../records.ts";
import { startWorker } from "../worker.ts";
import { checkEntry } from "./check.ts";
import { sizeOf } from "./dtype.ts";
import type { Marker, Shard } from "./marker.ts";
import { WindowMemory } from "./window-memory.ts";
import type { EntryLayout, FillReply, FillRequest } from "./window-protocol.ts";

/** Where the values of a window lie, and of which shape one step is. */
export type WindowPlace = Pick<Window, "folder" | "rows" | "shape">;

export interface WindowReaderOptions {
  /** Threads that read and convert; default: half the cores, at most 4. */
  readonly threads?: number;
  /** Most bytes of rows that are kept in memory as they are stored, so that they are read once; default 512 MiB, 0 for none. */
  readonly bytes?: number;
  /** Most files that each thread has open; default 64. */
  readonly files?: number;
}

/**
 * Reads windows of cached latents in threads of their own: float16 and uint8 become float32 on the way, missing steps zeros.
 * However large the latents are, memory holds `bytes` of them and the windows asked for.
 */
export async function openWindowReader(options: WindowReaderOptions = {}): Promise<WindowReader> {
  return new WindowReader(options);
}

export class WindowReader implements AsyncDisposable {
  readonly #memory: WindowMemory;
  readonly #threads: Thread[];
  readonly #entries = new Map<string, Promise<Entry>>();
  readonly #ready = new Map<string, Entry>();
  readonly #own = new WeakSet<ArrayBufferLike>();
  /** Staging buffers that nobody uses, for values that go into somebody else's memory. */
  readonly #free: Float32Array<SharedArrayBuffer>[] = [];
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;
  #closed = false;

  constructor({ threads, bytes = 512 * 2 ** 20, files = 64 }: WindowReaderOptions) {
    this.#memory = new WindowMemory(bytes);
    const count = threads ?? Math.min(4, Math.ceil(availableParallelism() / 2));
    this.#threads = Array.from({ length: count }, () => new Thread(this.#memory, files));
  }

  /** Bytes of the rows that are kept now, and of the buffers that windows are read into. */
  get held(): { readonly rows: number; readonly buffers: number } {
    return { rows: this.#memory.kept, buffers: this.#memory.buffers };
  }

  /**
   * Verifies all that a training will read before it begins: entries whose bytes are those of an earlier check are not
   * hashed again.
   *
   * @throws PipeError that names what is missing or damaged
   */
  async check(folders: Iterable<string>): Promise<void> {
    const problems: string[] = [];
    for (const folder of new Set(folders))
      await this.#entry(folder).catch((error) => {
        if (!(error instanceof PipeError)) throw error;
        problems.push(error.message);
      });
    if (problems.length === 0) return;
    const more = problems.length > MOST ? ` And ${problems.length - MOST} more.` : "";
    throw new PipeError(`${problems.slice(0, MOST).join(" ")}${more}`, { hint: MEND });
  }

  /**
   * Zeros to read windows into: they are filled where they are, whereas other memory takes a copy. They live as long as the
   * reader, so use them again.
   */
  allocate(length: number): Float32Array {
    const values = this.#memory.allocate(length);
    this.#own.add(values.buffer);
    return values;
  }

  /**
   * Reads the steps of all windows, one after the other, into `into`: [steps of all, ...shape]. Several reads may be under
   * way; they are begun in the order they were asked for.
   *
   * @throws PipeError when an entry is damaged, or has other rows than a window says; RangeError when `into` has another size
   */
  async read(windows: readonly WindowPlace[], into: Float32Array): Promise<void> {
    for (const { folder } of windows) if (!this.#ready.has(folder)) this.#ready.set(folder, await this.#entry(folder));
    const entries = windows.map(({ folder }) => this.#ready.get(folder)!);
    checkWindows(windows, entries, into.length);
    if (into.length === 0) return;
    if (this.#own.has(into.buffer)) return this.#fill(windows, entries, into);
    await this.#turn();
    let staging: Float32Array<SharedArrayBuffer> | undefined;
    try {
      staging = this.#staging(into.length);
      const values = staging.subarray(0, into.length);
      await this.#fill(windows, entries, values);
      into.set(values);
    } finally {
      if (staging) this.#free.push(staging);
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Ends the threads, and with them what they have open; reads that are under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const go of this.#waiting.splice(0)) go();
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #entry(folder: string): Promise<Entry> {
    const known = this.#entries.get(folder);
    if (known !== undefined) return known;
    const opening = entryOf(folder, this.#entries.size);
    this.#entries.set(folder, opening);
    // What is mended may be asked for again.
    opening.catch(() => this.#entries.delete(folder));
    return opening;
  }

  /** Waits until few enough are under way. */
  async #turn(): Promise<void> {
    if (this.#inFlight >= IN_FLIGHT) await new Promise<void>((go) => this.#waiting.push(go));
    this.#inFlight += 1;
  }

  /** Of a power of two, so that few sizes serve all reads. */
  #staging(length: number): Float32Array<SharedArrayBuffer> {
    const found = this.#free.findIndex((one) => one.length >= length);
    if (found >= 0) return this.#free.splice(found, 1)[0]!;
    return this.#memory.allocate(2 ** Math.ceil(Math.log2(length)));
  }

  /** Each thread takes its share of the windows. */
  async #fill(windows: readonly WindowPlace[], entries: readonly Entry[], into: Float32Array): Promise<void> {
    if (this.#closed) throw new Error("the window reader is closed");
    const share = Math.ceil(windows.length / this.#threads.length);
    const parts: Promise<void>[] = [];
    let at = into.byteOffset;
    for (const [i, thread] of this.#threads.entries()) {
      const [from, to] = [i * share, Math.min(windows.length, (i + 1) * share)];
      if (from >= to) break;
      parts.push(thread.fill(windows.slice(from, to), entries.slice(from, to), at));
      for (let w = from; w < to; w++) at += windows[w]!.rows.length * entries[w]!.size * 4;
    }
    const ended = await Promise.allSettled(parts);
    for (const one of ended) if (one.status === "rejected") throw one.reason;
  }
}

const IN_FLIGHT = 4;
const MOST = 5;
const MEND = "Run the pipeline that made them again: it replaces broken entries.";

interface Entry extends EntryLayout {
  readonly shape: readonly number[];
}

async function entryOf(folder: string, entry: number): Promise<Entry> {
  const { marker, problems, prints } = await checkEntry(folder, { trust: true });
  if (marker === undefined || problems.length > 0)
    throw new PipeError(`${nameOf(folder, marker)} is not intact: ${problems.join("; ")}.`, { hint: MEND });
  const { shape, rows, batchRows, shardRows } = marker.latents;
  const shards = marker.files.slice(1) as Shard[];
  return {
    entry,
    folder: resolve(folder),
    shape: shape ?? [],
    size: shape === null ? 0 : sizeOf(shape),
    rows,
    batchRows,
    shardRows,
    shards,
    prints: shards.map(({ name }) => prints.get(name)),
    held: new Int32Array(new SharedArrayBuffer(rows * 4)),
  };
}

/** The source's name, if the marker can be trusted, and where the entry lies. */
function nameOf(folder: string, marker: Marker | undefined): string {
  const place = join(basename(dirname(folder)), basename(folder));
  return marker === undefined ? place : `${marker.source.name} (${place})`;
}

function checkWindows(windows: readonly WindowPlace[], entries: readonly Entry[], length: number): void {
  let values = 0;
  for (let i = 0; i < windows.length; i++) {
    const [{ folder, rows, shape }, entry] = [windows[i]!, entries[i]!];
    if (!isSame(entry.shape, shape)) throw strange(folder, `steps of [${entry.shape}]`, `[${shape}]`);
    for (let t = 0; t < rows.length; t++)
      if (rows[t]! >= entry.rows) throw strange(folder, `${entry.rows} rows`, `row ${rows[t]}`);
    values += rows.length * entry.size;
  }
  if (values !== length) throw new RangeError(`${values} values do not fit into ${length}`);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function strange(folder: string, held: string, wanted: string): PipeError {
  return new PipeError(`A window is of other latents than ${folder} holds: that has ${held}, and it wants ${wanted}.`, {
    hint: "Cut the windows again: read-latents and window-sequences look at what is there now.",
  });
}

/** Plain loops: of small windows there are hundreds of thousands a second. */
function packed(windows: readonly WindowPlace[], entries: readonly Entry[]) {
  const [whose, steps] = [new Int32Array(windows.length), new Int32Array(windows.length)];
  let total = 0;
  for (let i = 0; i < windows.length; i++) {
    whose[i] = entries[i]!.entry;
    steps[i] = windows[i]!.rows.length;
    total += steps[i]!;
  }
  const rows = new Int32Array(total);
  let step = 0;
  for (const window of windows) for (let i = 0; i < window.rows.length; i++) rows[step++] = window.rows[i]!;
  return { entries: whose, steps, rows };
}

/** One worker thread and what it was asked. */
class Thread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, { resolve(): void; reject(error: Error): void }>();
  readonly #known = new Set<number>();
  #next = 0;
  #failure: Error | undefined;

  constructor(memory: WindowMemory, files: number) {
    this.#worker = startWorker(new URL("./window-worker.ts", import.meta.url), {
      workerData: memory.threadData(files),
    });
    this.#worker.on("message", (reply: FillReply) => this.#hear(reply));
    this.#worker.on("error", (error: Error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the window reader was closed")));
  }

  fill(windows: readonly WindowPlace[], entries: readonly Entry[], at: number): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    const layouts = [...new Set(entries)].filter(({ entry }) => !this.#known.has(entry));
    for (const { entry } of layouts) this.#known.add(entry);
    const request: FillRequest = { id, layouts, at, ...packed(windows, entries) };
    const { entries: whose, steps, rows } = request;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage(request, [whose.buffer, steps.buffer, rows.buffer] as ArrayBuffer[]);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #hear({ id, problem }: FillReply): void {
    const asked = this.#asked.get(id)!;
    this.#asked.delete(id);
    if (problem === undefined) asked.resolve();
    else asked.reject(new PipeError(problem.message, problem.hint === undefined ? {} : { hint: problem.hint }));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#asked.values()) reject(this.#failure);
    this.#asked.clear();
  }
}
