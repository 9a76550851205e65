import { type FileHandle, open } from "node:fs/promises";
import { stringify } from "csv-stringify/sync";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { writeAll } from "../../disk.ts";
import type { Column } from "./columns.ts";
import type { ScoreRow } from "./row.ts";

/** A file of rows under way; whoever opens it disposes it. */
export interface RowFile extends AsyncDisposable {
  write(row: ScoreRow): Promise<void>;
  /** Writes what is held back, and makes the file durable. */
  end(): Promise<void>;
}

/** Rows of one Parquet row group: what is held in memory, and what a reader can skip. */
const GROUP = 50_000;

/**
 * A Parquet file, snappy-compressed, in row groups of `group` rows. Columns that may be empty are optional, all others
 * required.
 *
 * @param notes free text by name, in the file's key-value metadata.
 */
export async function parquetFile(
  path: string,
  columns: readonly Column[],
  notes: Readonly<Record<string, string>> = {},
  group = GROUP,
): Promise<RowFile> {
  const file = await FileSink.open(path);
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.map(({ name, type, nullable }) => ({
        name,
        repetition_type: nullable ? ("OPTIONAL" as const) : ("REQUIRED" as const),
        ...(type === "STRING" ? { type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const } : { type }),
      })),
    ],
    kvMetadata: Object.entries(notes).map(([key, value]) => ({ key, value })),
    createdBy: "affect-pipe",
  });
  let held: ScoreRow[] = [];
  const flush = async () => {
    await file.write(bytes.getBytes().slice());
    bytes.index = 0;
  };
  const endGroup = async () => {
    const rows = held;
    held = [];
    if (rows.length === 0) return;
    await writer.write({
      columnData: columns.map(({ name, of }) => ({ name, data: rows.map(of) as (number | null)[] })),
      rowGroupSize: group,
    });
    await flush();
  };
  return {
    async write(row) {
      held.push(row);
      if (held.length === group) await endGroup();
    },
    async end() {
      await endGroup();
      await writer.finish();
      await flush();
      await file.end();
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

/** A CSV file with a header; an empty cell is a missing value, and a number has the digits that its type needs. */
export async function csvFile(path: string, columns: readonly Column[]): Promise<RowFile> {
  const file = await FileSink.open(path);
  let held: string[][] = [columns.map(({ name }) => name)];
  const flush = async () => {
    await file.write(Buffer.from(stringify(held)));
    held = [];
  };
  return {
    async write(row) {
      held.push(columns.map(({ type, of }) => shown(of(row), type)));
      if (held.length >= 1000) await flush();
    },
    async end() {
      await flush();
      await file.end();
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

function shown(value: ReturnType<Column["of"]>, type: Column["type"]): string {
  if (value === null) return "";
  return type === "FLOAT" ? shortFloat(value as number) : String(value);
}

/** The fewest digits that name this float32 and no other. */
function shortFloat(value: number): string {
  const single = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(single.toPrecision(digits));
    if (Math.fround(text) === single) return String(text);
  }
  return String(Number(single.toPrecision(9)));
}

/** A new file that is written from front to back. */
class FileSink implements AsyncDisposable {
  readonly #handle: FileHandle;
  #bytes = 0;
  #open = true;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(path: string): Promise<FileSink> {
    return new FileSink(await open(path, "wx"));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, [bytes], this.#bytes);
    this.#bytes += bytes.byteLength;
  }

  async end(): Promise<void> {
    await this.#handle.sync();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}
