import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { PipeError } from "../errors.ts";
import { checkEntry } from "./check.ts";
import { sizeOf, type Values, valuesOf } from "./dtype.ts";
import { fingerprint } from "./fingerprint.ts";
import { fromHalf } from "./half.ts";
import { type Marker, ROWS, type Shard } from "./marker.ts";
import { dequantise } from "./quantise.ts";
import { readRows } from "./rows-reader.ts";
import type { Row } from "./rows-schema.ts";

/**
 * Opens one entry of the latent cache for reading. Its marker, sizes and sha256 are verified before a byte is parsed;
 * bytes that were verified before and have not been written to since are not hashed again.
 *
 * @param folder `<output>/<digest>/<key>`
 * @throws PipeError that names every problem found
 */
export async function openEntry(folder: string): Promise<Entry> {
  const { marker, problems, prints } = await checkEntry(folder, { trust: true });
  if (marker === undefined || problems.length > 0)
    throw new PipeError(`${folder} is not an intact cache entry: ${problems.join("; ")}.`, {
      hint: "Run the pipeline that made it again: it replaces broken entries.",
    });
  return new Entry(resolve(folder), marker, prints);
}

/** A verified entry. Close it, or declare it with `using`. */
export class Entry implements Disposable {
  readonly folder: string;
  readonly marker: Marker;
  /** Shape of every latent, channel first; [] where no row has one. */
  readonly shape: readonly number[];
  /** Values in one latent; 0 where no row has one. */
  readonly size: number;
  /** Latents in all shards. */
  readonly length: number;
  readonly #prints: ReadonlyMap<string, string>;
  readonly #files = new Map<number, number>();
  readonly #buffer: Values;

  constructor(folder: string, marker: Marker, prints: ReadonlyMap<string, string>) {
    const { shape, dtype, batchRows, rows } = marker.latents;
    this.folder = folder;
    this.marker = marker;
    this.shape = shape ?? [];
    this.size = shape === null ? 0 : sizeOf(shape);
    this.length = rows;
    this.#prints = prints;
    this.#buffer = valuesOf(dtype, batchRows * this.size);
  }

  /** Every row, in the order written. */
  rows(): AsyncGenerator<Row, void, void> {
    return readRows(join(this.folder, ROWS));
  }

  /**
   * Reads latents `start` to `start + count - 1` (positions as in `Row.z`) into `into` from element `at`, as float32.
   * One positioned read per record batch touched, straight from the known offsets; synchronous, since such a read is
   * mostly a copy out of the page cache.
   *
   * @throws RangeError outside 0..length or when `into` is too small; PipeError when a shard was written to meanwhile
   */
  readZ(start: number, count: number, into: Float32Array, at = 0): void {
    if (!(start >= 0 && count >= 0 && start + count <= this.length))
      throw new RangeError(`latents ${start}..${start + count} of ${this.length}`);
    if (at + count * this.size > into.length) throw new RangeError(`${count} latents do not fit into the array given`);
    const { batchRows, shardRows } = this.marker.latents;
    for (let row = start; row < start + count; ) {
      const inShard = row % shardRows;
      const inBatch = inShard % batchRows;
      const shardNumber = (row - inShard) / shardRows;
      const shard = this.marker.files[1 + shardNumber] as Shard;
      const rows = Math.min(start + count - row, batchRows - inBatch, shard.rows - inShard);
      const batch = shard.batches[(inShard - inBatch) / batchRows]!;
      this.#read(shardNumber, shard, batch, inBatch, rows, into, at + (row - start) * this.size);
      row += rows;
    }
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(
    shardNumber: number,
    shard: Shard,
    batch: number,
    inBatch: number,
    rows: number,
    into: Float32Array,
    at: number,
  ): void {
    const file = this.#open(shardNumber, shard);
    const values = rows * this.size;
    // float32 needs no conversion: the bytes go straight to where they are wanted.
    const target = shard.dtype === "float32" ? into.subarray(at, at + values) : this.#buffer;
    const bytes = values * target.BYTES_PER_ELEMENT;
    const position = batch + inBatch * this.size * target.BYTES_PER_ELEMENT;
    const view = new Uint8Array(target.buffer, target.byteOffset, bytes);
    for (let done = 0; done < bytes; ) {
      const read = readSync(file, view, done, bytes - done, position + done);
      if (read === 0) throw changed(this.folder, shard.name);
      done += read;
    }
    if (target instanceof Uint16Array) fromHalf(target, into, at, values);
    else if (target instanceof Uint8Array)
      dequantise(target, into, at, rows, this.size, { scale: shard.scale!, offset: shard.offset! });
  }

  #open(shardNumber: number, shard: Shard): number {
    const known = this.#files.get(shardNumber);
    if (known !== undefined) return known;
    const file = openSync(join(this.folder, shard.name), "r");
    if (fingerprint(fstatSync(file, { bigint: true })) !== this.#prints.get(shard.name)) {
      closeSync(file);
      throw changed(this.folder, shard.name);
    }
    this.#files.set(shardNumber, file);
    return file;
  }
}

function changed(folder: string, name: string): PipeError {
  return new PipeError(`${join(basename(folder), name)} was written to after it was verified.`, {
    hint: "Run the pipeline that made it again: it replaces broken entries.",
  });
}
