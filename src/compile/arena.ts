/**
 * Vectors in one WebAssembly memory, where loops change them in place (loop.ts) and from where ONNX Runtime reads them.
 * Growing gives all vectors new windows on the same bytes: windows are asked for anew after each `place`.
 */
export class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 0 });
  readonly #places = new Map<string, { readonly at: number; readonly length: number }>();
  #end = 0;

  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** Room for a vector, filled with zeros; with room for more, a scratch vector is moved. */
  place(name: string, length: number): void {
    const known = this.#places.get(name);
    if (known && known.length >= length) return;
    const at = this.#end;
    // Zeros fill each vector up to whole cache lines: loops take several elements at a time.
    this.#end = at + bytesOf(length);
    const missing = this.#end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    this.#places.set(name, { at, length });
  }

  /** Address in the memory. */
  at(name: string): number {
    return this.#places.get(name)!.at;
  }

  view(name: string): Float32Array {
    const { at, length } = this.#places.get(name)!;
    return new Float32Array(this.memory.buffer, at, length);
  }
}

/** What a vector takes in an arena. */
export const bytesOf = (length: number): number => Math.ceil((length * 4) / LINE) * LINE;

/** What an arena can hold: all that 32 bits can address. */
export const ARENA_BYTES = 2 ** 32 - 2 ** 16;

const LINE = 64;
const PAGE = 2 ** 16;
