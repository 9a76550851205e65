import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type RecordBatch, RecordBatchFileWriter, Schema } from "apache-arrow";
import { diskError, writeAll } from "../disk.ts";

/**
 * An uncompressed Arrow IPC *file* written batch by batch: what is held in memory is one record batch and the footer's
 * list of offsets. The sha256 is taken of the very bytes that are written.
 */
export class ArrowFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #encoder: Encoder;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #open = true;

  private constructor(path: string, handle: FileHandle, schema: Schema) {
    this.path = path;
    this.#handle = handle;
    this.#encoder = new Encoder(schema);
  }

  /** The file must not exist yet. */
  static async create(path: string, schema: Schema): Promise<ArrowFile> {
    try {
      return new ArrowFile(path, await open(path, "wx"), schema);
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /** Writes one record batch and returns the byte offset of its body in the file. */
  async write(batch: RecordBatch): Promise<number> {
    const body = this.#encoder.encode(batch);
    await this.#flush();
    return body;
  }

  /** Writes the footer, whose schema carries `metadata`, makes the file durable and closes it. */
  async end(metadata: ReadonlyMap<string, string>): Promise<{ bytes: number; sha256: string }> {
    this.#encoder.end(metadata);
    await this.#flush();
    try {
      await this.#handle.sync();
    } catch (error) {
      throw diskError(error, this.path);
    }
    await this[Symbol.asyncDispose]();
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    const chunks = this.#encoder.take();
    for (const chunk of chunks) this.#hash.update(chunk);
    try {
      await writeAll(this.#handle, chunks, this.#bytes);
    } catch (error) {
      throw diskError(error, this.path);
    }
    for (const chunk of chunks) this.#bytes += chunk.byteLength;
  }
}

/** apache-arrow's file writer, with its bytes taken out as they are made instead of queued until somebody reads. */
class Encoder extends RecordBatchFileWriter {
  #chunks: Uint8Array[] = [];
  #metadata: ReadonlyMap<string, string> = new Map();

  constructor(schema: Schema) {
    super();
    this.reset(this._sink, schema);
  }

  encode(batch: RecordBatch): number {
    this.write(batch);
    const block = this._recordBatchBlocks.at(-1)!;
    return block.offset + block.metaDataLength;
  }

  /** In the file format the schema stands in the footer, so that what is known only at the end can be in it. */
  end(metadata: ReadonlyMap<string, string>): void {
    this.#metadata = metadata;
    this.close();
  }

  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  protected override _write(chunk: ArrayBufferView): this {
    if (chunk.byteLength > 0) this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this._position += chunk.byteLength;
    return this;
  }

  protected override _writeFooter(schema: Schema): this {
    return super._writeFooter(new Schema(schema.fields, new Map(this.#metadata)));
  }
}
