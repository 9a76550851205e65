import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Json } from "../digest.ts";
import { diskError } from "../disk.ts";
import { PipeError } from "../errors.ts";
import type { Counts } from "../ledger.ts";
import type { Artifact, Latent, Source, Verdict } from "../records.ts";
import { ArrowFile } from "./arrow-file.ts";
import { noteEntry } from "./check.ts";
import { type Dtype, sizeOf } from "./dtype.ts";
import { entryFolder } from "./layout.ts";
import { encodeMarker, MARKER, type Marker, ROWS, VERSIONS } from "./marker.ts";
import { publish } from "./publish.ts";
import { rowsBatch } from "./rows-batch.ts";
import { ROWS_SCHEMA, type Row } from "./rows-schema.ts";
import { TempFolder } from "./temp.ts";
import { layoutOf, ZWriter } from "./z-writer.ts";

export interface WriterOptions {
  /** Folder that holds the entries of all sources. */
  readonly output: string;
  readonly source: Pick<Source, "name" | "bytes" | "digest">;
  /** sha256 (hex) of all that shapes the latents; equal keys mean equal bytes. */
  readonly key: string;
  readonly keyParts: Json;
  /** Default float16. */
  readonly dtype?: Dtype;
  /** A shard stays below this many bytes, if one latent does (default 1 GiB). */
  readonly shardBytes?: number;
  /**
   * Facts for the marker. Read when the entry is published; `weights` and `labels` (their data set and range), or else
   * `range`, also at the first latent, for the shards.
   */
  readonly facts: Readonly<Record<string, Json>>;
}

/** What is known only at the end. */
export interface Ending {
  readonly verdict: Verdict;
  readonly detail?: string;
  readonly counts: Counts;
}

/**
 * Writes one entry of the latent cache: `rows.arrow`, `z-*.arrow`, and `marker.json` last, all in a temp folder that
 * `publish` moves into place. Memory is bounded by one record batch of each file. Disposing before `publish` (error,
 * abort) removes everything. Failing disks give a PipeError that names path and cause.
 *
 *     await using writer = await LatentWriter.open({ output, source, key, keyParts, facts });
 *     for await (const latent of latents) await writer.append(latent);
 *     await writer.publish({ verdict, counts });
 */
export class LatentWriter implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #dtype: Dtype;
  readonly #temp: TempFolder;
  readonly #entry: string;
  readonly #rowsFile: ArrowFile;
  #rows: Row[] = [];
  #rowCount = 0;
  #z: ZWriter | undefined;
  #zCount = 0;
  #shape: readonly number[] | null = null;
  #layout = { batchRows: 1, shardRows: 1 };

  private constructor(options: WriterOptions, temp: TempFolder, rowsFile: ArrowFile) {
    this.#options = options;
    this.#dtype = options.dtype ?? "float16";
    this.#temp = temp;
    this.#entry = dirname(rowsFile.path);
    this.#rowsFile = rowsFile;
  }

  static async open(options: WriterOptions): Promise<LatentWriter> {
    const temp = await TempFolder.make(resolve(options.output));
    try {
      const entry = join(temp.path, "entry");
      await mkdir(entry);
      return new LatentWriter(options, temp, await ArrowFile.create(join(entry, ROWS), ROWS_SCHEMA));
    } catch (error) {
      await temp[Symbol.asyncDispose]();
      throw diskError(error, temp.path);
    }
  }

  /**
   * Adds a row, and its latent if it has one. `labels` are the latent's own unless others are given.
   *
   * @throws PipeError naming frame and track when z is not finite, is beyond float16, or changes its shape.
   */
  async append(latent: Latent, labels: Json | null = latent.label ? { ...latent.label } : null): Promise<void> {
    const name = `frame ${latent.index} (pts ${latent.pts} µs), track ${latent.track}`;
    const { index, pts, status, track, shot, box, score, presence, landmarks, q } = latent;
    if (q !== null && q.length !== 4) throw new PipeError(`${name}: q has ${q.length} values instead of 4.`);
    if (latent.z === null && latent.place !== undefined)
      throw new PipeError(`${name}: its values were left on disk, so that they cannot be stored again.`, {
        hint: "Read them: --set read-latents.values=true",
      });
    let z: number | null = null;
    if (latent.z !== null) {
      this.#z ??= this.#openZ(latent.shape);
      if (String(latent.shape) !== String(this.#shape))
        throw new PipeError(`${name}: z has shape [${latent.shape}], the latents before it [${this.#shape}].`);
      await this.#z.append(latent.z, name);
      z = this.#zCount++;
    }
    this.#rows.push({
      index,
      pts,
      status,
      track,
      shot,
      box,
      score,
      ...(presence !== undefined && { presence }),
      landmarks,
      q,
      z,
      labels,
    });
    if (this.#rows.length === ROWS_BATCH) await this.#endRows();
  }

  /**
   * Publishes the entry, or leaves an intact one of the same key in its place. The writer is done then.
   *
   * @returns the entry's folder and the bytes of its Arrow files
   */
  async publish(ending: Ending): Promise<Artifact> {
    await this.#endRows();
    const rows = await this.#rowsFile.end(this.#metadata());
    const shards = (await this.#z?.finish()) ?? [];
    const { key, keyParts, source, facts, output } = this.#options;
    const marker: Marker = {
      format: 1,
      key,
      keyParts,
      source: { name: source.name, bytes: source.bytes, digest: source.digest },
      verdict: ending.verdict,
      ...(ending.detail !== undefined && { detail: ending.detail }),
      counts: ending.counts,
      facts,
      versions: VERSIONS,
      latents: { shape: this.#shape, dtype: this.#dtype, ...this.#layout, rows: this.#zCount },
      files: [{ name: ROWS, ...rows, rows: this.#rowCount }, ...shards],
    };
    const place = resolve(entryFolder(output, source.digest, key));
    await this.#writeMarker(encodeMarker(marker));
    if (await publish(this.#temp, this.#entry, place)) await noteEntry(place);
    await this[Symbol.asyncDispose]();
    return { kind: "artifact", path: place, bytes: marker.files.reduce((sum, file) => sum + file.bytes, 0) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rowsFile[Symbol.asyncDispose]();
    await this.#z?.[Symbol.asyncDispose]();
    await this.#temp[Symbol.asyncDispose]();
  }

  #openZ(shape: readonly number[]): ZWriter {
    this.#shape = [...shape];
    this.#layout = layoutOf(sizeOf(shape), this.#dtype, this.#options.shardBytes ?? SHARD_BYTES);
    return new ZWriter(this.#entry, { shape, dtype: this.#dtype, ...this.#layout, metadata: this.#metadata() });
  }

  /** What each Arrow file says of itself to a reader that knows nothing of the marker. */
  #metadata(): Map<string, string> {
    const { key, facts } = this.#options;
    const pairs: [string, string][] = [["key", key]];
    if (this.#shape !== null) pairs.push(["shape", JSON.stringify(this.#shape)], ["dtype", this.#dtype]);
    const labels = facts.labels ?? facts.range;
    if (labels !== undefined) pairs.push(["labels", JSON.stringify(labels)]);
    if (typeof facts.weights === "string") pairs.push(["weights", facts.weights]);
    return new Map(pairs);
  }

  async #endRows(): Promise<void> {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    this.#rows = [];
    await this.#rowsFile.write(rowsBatch(rows));
    this.#rowCount += rows.length;
  }

  async #writeMarker(text: string): Promise<void> {
    const path = join(this.#entry, MARKER);
    try {
      await using handle = await open(path, "wx");
      await handle.writeFile(text);
      await handle.sync();
    } catch (error) {
      throw diskError(error, path);
    }
  }
}

const SHARD_BYTES = 2 ** 30;
const ROWS_BATCH = 1024;
