import * as ort from "onnxruntime-node";
import { Arena } from "./arena.ts";
import type { Feed, InPlace, Piece, StateUse } from "./session-protocol.ts";

/**
 * What programs remember from run to run, in the thread that runs them. Vectors that are updated in place lie in an
 * arena; of all others a run puts a new one in their place.
 */
export class SessionState {
  readonly #entries = new Map<string, ort.Tensor>();
  readonly #arena = new Arena();

  get(entry: string): ort.Tensor {
    return this.#entries.get(entry)!;
  }

  set(entry: string, tensor: ort.Tensor): void {
    if (this.#arena.has(entry)) this.#arena.view(entry).set(tensor.data as Float32Array);
    else this.#entries.set(entry, tensor);
  }

  write({ data, shape, type }: Feed, entry: string): void {
    this.set(entry, new ort.Tensor(type as "float32", data as Float32Array, shape));
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Gets ready for the updates of a program that is opened. */
  prepare(updates: readonly InPlace[]): Update[] {
    const lost: [string, ort.Tensor][] = [];
    for (const { vectors, length } of updates)
      for (const entry of vectors) {
        if (this.#arena.has(entry)) continue;
        this.#arena.place(entry, length);
        lost.push([entry, this.get(entry)]);
      }
    // Gradients of one run: programs run one after the other, so they share the place.
    updates.forEach(({ length }, i) => {
      this.#arena.place(gradientOf(i), length);
    });
    for (const [entry, { data }] of lost) this.#arena.view(entry).set(data as Float32Array);
    // Memory that grew has left the old windows without bytes.
    for (const [entry, { dims }] of this.#entries)
      if (this.#arena.has(entry)) this.#entries.set(entry, new ort.Tensor("float32", this.#arena.view(entry), dims));
    return updates.map((update, i) => new Update(update, this.#arena, gradientOf(i)));
  }

  /** The inputs that a run takes from here: windows, no copies. */
  feeds(inputs: StateUse["inputs"]): Record<string, ort.Tensor> {
    return Object.fromEntries(Object.entries(inputs).map(([name, piece]) => [name, this.#window(piece)]));
  }

  #window({ entry, at, shape }: Piece): ort.Tensor {
    const whole = this.get(entry);
    if (at === undefined || shape === undefined) return whole;
    return new ort.Tensor("float32", (whole.data as Float32Array).subarray(at, at + sizeOf(shape)), shape);
  }
}

/** One vector's update after each run of a program. */
class Update {
  readonly #about: InPlace;
  readonly #arena: Arena;
  readonly #gradient: string;
  readonly #loop: Loop;

  constructor(about: InPlace, arena: Arena, gradient: string) {
    this.#about = about;
    this.#arena = arena;
    this.#gradient = gradient;
    const module = new WebAssembly.Module(about.module as Uint8Array<ArrayBuffer>);
    this.#loop = new WebAssembly.Instance(module, { m: { m: arena.memory } }).exports as unknown as Loop;
  }

  /** Where a run puts the gradient. */
  fetches(): Record<string, ort.Tensor> {
    const gradient = this.#arena.view(this.#gradient);
    const pieces = this.#about.gradient.map(
      ({ output, at, shape }) =>
        [output, new ort.Tensor("float32", gradient.subarray(at, at + sizeOf(shape)), shape)] as const,
    );
    return Object.fromEntries(pieces);
  }

  /** Updates the vectors, and takes out of the run's results what was computed for that. */
  apply(results: Record<string, ort.Tensor>): void {
    const { vectors, length, scalars, needsNorm, norm, gradient } = this.#about;
    const numbers = scalars.map((name) => Number(results[name]!.data[0]));
    for (const name of [...scalars, ...gradient.map(({ output }) => output)]) delete results[name];
    const slope = this.#arena.at(this.#gradient);
    const addresses = [...vectors.map((entry) => this.#arena.at(entry)), slope];
    // What lies behind the gradient's end may be left from a longer one.
    const all = Math.ceil(length / 4) * 16;
    new Float32Array(this.#arena.memory.buffer, slope, all / 4).fill(0, length);
    let squares = 0;
    if (needsNorm)
      for (let at = 0; at < all; at += CHUNK) squares += this.#loop.norm(Math.min(CHUNK, all - at), slope + at);
    const length2 = needsNorm ? Math.sqrt(squares) : 0;
    for (let at = 0; at < all; at += CHUNK) {
      const bytes = Math.min(CHUNK, all - at);
      // Right before the update reads the same bytes once more, out of the cache.
      if (!needsNorm && norm !== undefined) squares += this.#loop.norm(bytes, slope + at);
      this.#loop.update(bytes, ...addresses.map((address) => address + at), ...numbers, length2);
    }
    if (norm !== undefined) results[norm] = new ort.Tensor("float32", Float32Array.of(Math.sqrt(squares)), []);
  }
}

interface Loop {
  update(bytes: number, ...vectorsAndScalars: number[]): void;
  norm(bytes: number, gradient: number): number;
}

/** Bytes of each vector at a time: together they stay within a core's own cache. */
const CHUNK = 2 ** 16;

const gradientOf = (update: number) => `/gradient/${update}`;
const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
