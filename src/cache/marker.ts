import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { canonical, digestOf, type Json } from "../digest.ts";
import { reasonOf } from "../errors.ts";
import { STATUSES, VERDICTS } from "../records.ts";
import { DTYPES } from "./dtype.ts";

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
const marker = z.strictObject({
  format: z.literal(FORMAT),
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
    rows: z.record(z.enum(STATUSES), count),
  }),
  facts: z.record(z.string(), json),
  versions: z.record(z.string(), z.string()),
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

/**
 * The marker as text. It holds no clock, process or path, so that the same work gives the same bytes; its own sha256
 * is in it, so that an edit shows.
 */
export function encodeMarker(value: Marker): string {
  const checked = canonical(marker.parse(value) as Json);
  const sealed = canonical({ ...(JSON.parse(checked) as Record<string, Json>), sha256: digestOf(JSON.parse(checked)) });
  return `${JSON.stringify(JSON.parse(sealed), null, 2)}\n`;
}

/** The marker in a text, or what is wrong with it in words. */
export function decodeMarker(text: string): Marker | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: `${MARKER} is not JSON` };
  }
  if (value === null || typeof value !== "object") return { problem: `${MARKER} is not a marker` };
  const { sha256: seal, ...rest } = value as Record<string, Json>;
  if (typeof rest.format === "number" && rest.format > FORMAT)
    return { problem: `${MARKER} has format ${rest.format}, newer than this affect-pipe reads (${FORMAT})` };
  if (seal !== digestOf(rest)) return { problem: `${MARKER} was changed after it was written` };
  const parsed = marker.safeParse(rest);
  if (!parsed.success) return { problem: `${MARKER} lacks what a marker says: ${z.prettifyError(parsed.error)}` };
  return parsed.data;
}

/** The marker of an entry's folder, or what is wrong with it in words. */
export async function readMarker(folder: string): Promise<Marker | { problem: string }> {
  try {
    return decodeMarker(await readFile(join(folder, MARKER), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { problem: `${MARKER} is missing: the entry was never finished, or lost it` };
    return { problem: `${MARKER} cannot be read: ${reasonOf(error)}` };
  }
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
