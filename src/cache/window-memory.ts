import { PipeError } from "../errors.ts";
import { type ThreadData, UNIT } from "./window-protocol.ts";

const PAGE = 1 << 16;
/** What WebAssembly can address: 4 GiB. */
const MOST_PAGES = 1 << 16;

/**
 * The memory of a window reader and its threads: room for rows that are kept, and behind it the buffers that windows are
 * read into. The system gives pages only when they are written to.
 */
export class WindowMemory {
  readonly memory: WebAssembly.Memory;
  readonly #top = new Int32Array(new SharedArrayBuffer(4));
  readonly #room: number;
  #buffers = 0;

  /** @param bytes most bytes of rows that are kept */
  constructor(bytes: number) {
    const pages = Math.ceil(bytes / PAGE);
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: MOST_PAGES, shared: true });
    } catch (cause) {
      throw new PipeError(`There is no memory to keep ${bytes} bytes of latents in.`, {
        hint: "Keep fewer: --set batch.memory=64",
        cause,
      });
    }
    this.#room = Math.floor(bytes / UNIT);
    // Unit 0 says that a row is not kept.
    this.#top[0] = 1;
  }

  /** What a thread needs to know. */
  threadData(files: number): ThreadData {
    return { memory: this.memory, top: this.#top, room: this.#room, files };
  }

  /** Bytes of the rows that are kept now. */
  get kept(): number {
    return (Math.min(Atomics.load(this.#top, 0), this.#room) - 1) * UNIT;
  }

  /** Bytes of all buffers. */
  get buffers(): number {
    return this.#buffers;
  }

  /** `length` zeros that all threads see. They are given back with the memory. */
  allocate(length: number): Float32Array<SharedArrayBuffer> {
    const pages = Math.ceil((length * 4) / PAGE);
    let at: number;
    try {
      at = this.memory.grow(pages) * PAGE;
    } catch (cause) {
      throw new PipeError(`There is no memory for another ${pages * PAGE} bytes of windows.`, {
        hint: "Take smaller batches, or keep fewer rows in memory: both share 4 GiB.",
        cause,
      });
    }
    this.#buffers += pages * PAGE;
    return new Float32Array(this.memory.buffer as unknown as SharedArrayBuffer, at, length);
  }
}
