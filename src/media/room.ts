/** Bytes that wait for frames to come, at most. */
const MOST = 64 * 2 ** 20;

/**
 * Memory of frames that were given back, for frames to come. Fresh memory is the dearest part of a large frame: the system
 * clears each page when it is first touched. All that is kept is of one size, that of the video last decoded.
 */
export class Room {
  readonly #most: number;
  #free: ArrayBuffer[] = [];
  #bytes = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Bytes that are kept now. */
  get kept(): number {
    return this.#free.length * this.#bytes;
  }

  /** `bytes` bytes that nobody else has; what they hold is left over from another frame. */
  take(bytes: number): Uint8Array {
    if (bytes !== this.#bytes) this.#free = [];
    this.#bytes = bytes;
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(bytes));
  }

  keep(buffer: ArrayBuffer): void {
    if (buffer.byteLength === this.#bytes && this.kept + this.#bytes <= this.#most) this.#free.push(buffer);
  }
}
