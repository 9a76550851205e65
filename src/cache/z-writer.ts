import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Schema } from "apache-arrow";
import { diskError, writeAll } from "../disk.ts";
import { PipeError } from "../errors.ts";
import { ArrowFile } from "./arrow-file.ts";
import { BYTES, type Dtype, sizeOf, type Values, valuesOf } from "./dtype.ts";
import { firstNonFinite, toHalf } from "./half.ts";
import type { Shard } from "./marker.ts";
import { type Quantisation, quantise, Ranges } from "./quantise.ts";
import { zBatch, zSchema } from "./z-batch.ts";

export interface ZOptions {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Rows of each record batch but a shard's last. */
  readonly batchRows: number;
  /** Rows of each shard but the last; a multiple of `batchRows`. */
  readonly shardRows: number;
  /** What each shard's schema says beside its quantisation. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Writes dense latents into `z-00000.arrow`, `z-00001.arrow`, … of a folder, holding one record batch in memory.
 * uint8 needs a shard's ranges before its first code, so its float32 values wait in a file beside until the shard is full.
 */
export class ZWriter implements AsyncDisposable {
  readonly #folder: string;
  readonly #options: ZOptions;
  readonly #size: number;
  readonly #schema: Schema;
  readonly #batch: Values;
  readonly #shards: Shard[] = [];
  #file: ArrowFile | undefined;
  #spool: Spool | undefined;
  #batches: number[] = [];
  #inBatch = 0;
  #inShard = 0;

  constructor(folder: string, options: ZOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#size = sizeOf(options.shape);
    this.#schema = zSchema(options.dtype, this.#size);
    this.#batch = valuesOf(options.dtype === "uint8" ? "float32" : options.dtype, options.batchRows * this.#size);
  }

  /** Throws a PipeError beginning with `name` when `z` has another shape, is not finite, or does not fit the dtype. */
  async append(z: Float32Array, name: string): Promise<void> {
    this.#take(z, name);
    this.#inBatch += 1;
    this.#inShard += 1;
    if (this.#inBatch === this.#options.batchRows) await this.#endBatch();
    if (this.#inShard === this.#options.shardRows) await this.#endShard();
  }

  /** Closes the last shard; what was written, in order. */
  async finish(): Promise<Shard[]> {
    await this.#endShard();
    return this.#shards;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.[Symbol.asyncDispose]();
    await this.#spool?.[Symbol.asyncDispose]();
  }

  #take(z: Float32Array, name: string): void {
    const at = this.#inBatch * this.#size;
    if (z.length !== this.#size)
      throw new PipeError(
        `${name}: z has ${z.length} values, but its shape [${this.#options.shape}] has ${this.#size}.`,
      );
    const bad = this.#batch instanceof Uint16Array ? toHalf(z, this.#batch, at) : firstNonFinite(z);
    if (bad >= 0) throw unfit(z[bad]!, bad, name);
    if (this.#batch instanceof Float32Array) this.#batch.set(z, at);
  }

  async #endBatch(): Promise<void> {
    if (this.#inBatch === 0) return;
    if (this.#options.dtype === "uint8") {
      this.#spool ??= await Spool.create(join(this.#folder, "spool.f32"), this.#options.shape[0] ?? 1, this.#size);
      await this.#spool.append(this.#batch as Float32Array, this.#inBatch);
    } else {
      this.#file ??= await this.#create();
      this.#batches.push(await this.#file.write(zBatch(this.#schema, this.#batch, this.#inBatch)));
    }
    this.#inBatch = 0;
  }

  async #endShard(): Promise<void> {
    await this.#endBatch();
    if (this.#inShard === 0) return;
    const { dtype, shape, metadata } = this.#options;
    const quantisation = await this.#encodeSpool();
    const file = this.#file!;
    const { bytes, sha256 } = await file.end(
      quantisation === undefined
        ? metadata
        : new Map([
            ...metadata,
            ["scale", JSON.stringify(quantisation.scale)],
            ["offset", JSON.stringify(quantisation.offset)],
          ]),
    );
    const name = shardName(this.#shards.length);
    const batches = this.#batches;
    this.#shards.push({ name, bytes, sha256, rows: this.#inShard, dtype, shape, batches, ...quantisation });
    this.#file = undefined;
    this.#batches = [];
    this.#inShard = 0;
  }

  async #encodeSpool(): Promise<Quantisation | undefined> {
    const spool = this.#spool;
    if (spool === undefined) return undefined;
    const quantisation = spool.ranges.quantisation();
    this.#file = await this.#create();
    const codes = new Uint8Array(this.#batch.length);
    for (let row = 0; row < this.#inShard; row += this.#options.batchRows) {
      const rows = Math.min(this.#options.batchRows, this.#inShard - row);
      await spool.read(row, rows, this.#batch as Float32Array);
      quantise(this.#batch as Float32Array, codes, rows, this.#size, quantisation);
      this.#batches.push(await this.#file.write(zBatch(this.#schema, codes, rows)));
    }
    await spool[Symbol.asyncDispose]();
    this.#spool = undefined;
    return quantisation;
  }

  #create(): Promise<ArrowFile> {
    return ArrowFile.create(join(this.#folder, shardName(this.#shards.length)), this.#schema);
  }
}

/** Rows of a record batch and of a shard that keep a batch near 4 MiB and a shard within `shardBytes`. */
export function layoutOf(size: number, dtype: Dtype, shardBytes: number): { batchRows: number; shardRows: number } {
  const rowBytes = size * BYTES[dtype];
  const most = Math.max(1, Math.floor((shardBytes - FRAME_BYTES) / rowBytes));
  const batchRows = Math.min(most, Math.max(1, Math.floor(BATCH_BYTES / rowBytes)));
  return { batchRows, shardRows: Math.max(1, Math.floor(most / batchRows)) * batchRows };
}

const BATCH_BYTES = 4 << 20;
// Room for the heads of a shard's record batches and its footer.
const FRAME_BYTES = 1 << 18;

function shardName(index: number): string {
  return `z-${String(index).padStart(5, "0")}.arrow`;
}

function unfit(value: number, index: number, name: string): PipeError {
  if (!Number.isFinite(value))
    return new PipeError(`${name}: z holds ${value} at element ${index}; a latent must be finite.`, {
      hint: "Look at the model: its weights or its input hold a value that is not a number.",
    });
  return new PipeError(`${name}: z holds ${value} at element ${index}, beyond float16's range (±65504).`, {
    hint: "Store float32: --set cache-latents.dtype=float32",
  });
}

/** float32 latents of one shard, waiting on disk for the ranges to be known. */
class Spool implements AsyncDisposable {
  readonly ranges: Ranges;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #size: number;
  #bytes = 0;

  private constructor(path: string, handle: FileHandle, channels: number, size: number) {
    this.#path = path;
    this.#handle = handle;
    this.#size = size;
    this.ranges = new Ranges(channels);
  }

  static async create(path: string, channels: number, size: number): Promise<Spool> {
    try {
      return new Spool(path, await open(path, "wx+"), channels, size);
    } catch (error) {
      throw diskError(error, path);
    }
  }

  async append(values: Float32Array, rows: number): Promise<void> {
    for (let row = 0; row < rows; row++) this.ranges.add(values.subarray(row * this.#size, (row + 1) * this.#size));
    const bytes = bytesOf(values, rows * this.#size);
    try {
      await writeAll(this.#handle, [bytes], this.#bytes);
    } catch (error) {
      throw diskError(error, this.#path);
    }
    this.#bytes += bytes.byteLength;
  }

  async read(row: number, rows: number, into: Float32Array): Promise<void> {
    const bytes = bytesOf(into, rows * this.#size);
    for (let done = 0; done < bytes.byteLength; ) {
      const at = row * this.#size * 4 + done;
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.byteLength - done, at);
      if (bytesRead === 0) throw new Error(`${this.#path} ended early`);
      done += bytesRead;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }
}

function bytesOf(values: Float32Array, length: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, length * 4);
}
