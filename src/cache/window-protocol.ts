import type { Shard } from "./marker.ts";

/** Where the rows of one entry lie, as its verified marker says. */
export interface EntryLayout {
  readonly entry: number;
  /** Absolute path. */
  readonly folder: string;
  /** Values in one row. */
  readonly size: number;
  /** Rows in all shards. */
  readonly rows: number;
  readonly batchRows: number;
  readonly shardRows: number;
  readonly shards: readonly Shard[];
  /** Fingerprint of each shard when it was verified. */
  readonly prints: readonly (string | undefined)[];
  /** By row, shared by all threads: where its bytes are kept in memory, in units of {@link UNIT} bytes; 0 where they are not. */
  readonly held: Int32Array<SharedArrayBuffer>;
}

/** Rows that are kept begin at multiples of this many bytes. */
export const UNIT = 16;

/** What a thread is started with: the memory that all share. */
export interface ThreadData {
  readonly memory: WebAssembly.Memory;
  /** [0] units given out to kept rows so far; atomic. */
  readonly top: Int32Array<SharedArrayBuffer>;
  /** Units that may be given out. */
  readonly room: number;
  /** Most files open at once. */
  readonly files: number;
}

/** Fills windows one after the other from byte `at` of the memory on. */
export interface FillRequest {
  readonly id: number;
  /** Entries that this thread has not heard of. */
  readonly layouts: readonly EntryLayout[];
  readonly at: number;
  /** [windows] Entry of each. */
  readonly entries: Int32Array;
  /** [windows] Steps of each. */
  readonly steps: Int32Array;
  /** [steps of all] Rows, -1 for zeros. */
  readonly rows: Int32Array;
}

export interface FillReply {
  readonly id: number;
  /** What went wrong: `hint` where the user can mend it. */
  readonly problem?: { readonly message: string; readonly hint?: string };
}
