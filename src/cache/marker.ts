import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, type Json } from "../digest.ts";
import { STATUSES, type Status, VERDICTS } from "../records.ts";
import { DTYPES } from "./dtype.ts";
import { readSealed, sealed } from "./sealed.ts";

/** The commit marker's file: written last, so an entry without it was never finished. */
export const MARKER = "marker.json";
export const ROWS = "rows.arrow";

/** Raised when an older affect-pipe could misread what this one writes. */
const FORMAT = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const json = z.json() as unknown as z.ZodType<Json>;
const rowsFile = z.strictObject({ name: z.literal(ROWS), bytes: count, sha256, rows: count });
const shard = z.strictObject({
  name: z.string().regex(/^z-\d{5,}\.arrow$/),
  bytes: count,
  sha256,
  rows: z.int().positive(),
  dtype: z.enum(DTYPES),
  shape: z.array(z.int().positive()).readonly(),
  /** Byte offset of each record batch's dense buffer. */
  batches: z.array(z.int().positive()).min(1).readonly(),
  /** uint8 only, per channel: value = offset + scale · code. */
  scale: z.array(z.number()).readonly().optional(),
  offset: z.array(z.number()).readonly().optional(),
});
/** Rows by status; markers from before a status was known lack it, and have none. */
const rowCounts = z
  .partialRecord(z.enum(STATUSES), count)
  .transform(
    (rows) => Object.fromEntries(STATUSES.map((status) => [status, rows[status] ?? 0])) as Record<Status, number>,
  );
/** What a marker says of the task that published it. */
export const taskFields = {
  key: sha256,
  keyParts: json,
  source: z.strictObject({ name: z.string(), bytes: count, digest: sha256 }),
  verdict: z.enum(VERDICTS),
  detail: z.string().optional(),
  counts: z.strictObject({
    demuxed: count,
    decoded: count,
    failed: count,
    sampled: count,
    skipped: count,
    extra: count,
    rows: rowCounts,
  }),
  facts: z.record(z.string(), json),
  versions: z.record(z.string(), z.string()),
};
const marker = z.strictObject({
  format: z.literal(FORMAT),
  ...taskFields,
  latents: z.strictObject({
    /** Shape of every latent, channel first; null where no row has one. */
    shape: z.array(z.int().positive()).readonly().nullable(),
    dtype: z.enum(DTYPES),
    /** Rows of each record batch but a shard's last, and of each shard but the last. */
    batchRows: z.int().positive(),
    shardRows: z.int().positive(),
    /** Rows in all shards. */
    rows: count,
  }),
  files: z.tuple([rowsFile], shard),
});

export type Marker = z.output<typeof marker>;
export type Shard = z.output<typeof shard>;

/** The marker as text. It holds no clock, process or path, so that the same work gives the same bytes. */
export function encodeMarker(value: Marker): string {
  return sealed(marker.parse(value) as unknown as Record<string, Json>);
}

/** The marker of an entry's folder, or what is wrong with it in words. */
export function readMarker(folder: string): Promise<Marker | { problem: string }> {
  const missing = "the entry was never finished, or lost it";
  return readSealed(join(folder, MARKER), { schema: marker, format: FORMAT, missing });
}

/** sha256 of what an entry holds, whatever its source was called: equal entries, equal digest. */
export function contentDigest(value: Marker): string {
  return digestOf([value.key, value.files.map((file) => file.sha256)]);
}

const packageFile = new URL("../../package.json", import.meta.url);

/** Versions that a marker records. */
export const VERSIONS: Readonly<Record<string, string>> = {
  "affect-pipe": (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version,
  marker: String(FORMAT),
};
