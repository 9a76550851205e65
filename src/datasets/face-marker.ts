import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { canonical, digestOf, type Json } from "../digest.ts";
import { reasonOf } from "../errors.ts";

/** The commit marker's file: written last, so a store without it was never finished. */
export const MARKER = "marker.json";
export const ROWS = "rows.arrow";

/** Raised when an older affect-pipe could misread what this one writes. */
const FORMAT = 1;
/** Which part of a picture is the face, and how it is sampled (`vision/boxes.ts`, `vision/resample.ts`). */
const CROP_RULE = "anclaf box, bilinear, 1";

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const interval = z.tuple([z.number(), z.number()]).readonly();
const marker = z.strictObject({
  format: z.literal(FORMAT),
  kind: z.literal("faces"),
  key: sha256,
  dataset: z.strictObject({ name: z.string(), digest: sha256 }),
  range: z.strictObject({ valence: interval, arousal: interval }),
  rule: z.literal(CROP_RULE),
  side: z.int().positive(),
  points: z.union([z.literal(49), z.literal(68)]),
  /** Faces in the store. */
  count,
  /** Labelled frames of the dataset: faces and skipped frames. */
  labelled: count,
  /** Room for a face in the pixel files; some are empty (zeros). */
  slots: count,
  /** Slots of each pixel file but the last. */
  shardSlots: z.int().positive(),
  clips: z.array(z.strictObject({ id: z.string(), group: z.string() })).readonly(),
  skipped: z.array(z.strictObject({ where: z.string(), reason: z.string(), frames: count })).readonly(),
  notes: z.array(z.string()).readonly(),
  files: z
    .array(z.strictObject({ name: z.string().regex(/^(rows\.arrow|faces-\d{5}\.rgb)$/), bytes: count, sha256 }))
    .min(1)
    .readonly(),
});

export type FaceMarker = z.output<typeof marker>;
export type FaceFile = FaceMarker["files"][number];

/** What decides the bytes of a store, as one sha256. `media` stands for the picture files. */
export function faceKey(dataset: string, side: number, media: string): string {
  return digestOf(["faces", FORMAT, CROP_RULE, dataset, side, media]);
}

/** sha256 of what a store holds: of its faces and labels, wherever the dataset lay. */
export function faceDigest({ dataset, side, files }: FaceMarker): string {
  return digestOf(["faces", dataset.digest, side, files.map((file) => file.sha256)]);
}

/** The marker as text, with its own sha256 in it. */
export function encodeMarker(value: Omit<FaceMarker, "format" | "kind" | "rule">): string {
  const whole = marker.parse({ ...value, format: FORMAT, kind: "faces", rule: CROP_RULE }) as Json;
  const sealed = { ...(whole as Record<string, Json>), sha256: digestOf(whole) };
  return `${JSON.stringify(JSON.parse(canonical(sealed)), null, 2)}\n`;
}

/** The marker of a store's folder, or what is wrong with it in words. */
export async function readMarker(folder: string): Promise<FaceMarker | { problem: string }> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(folder, MARKER), "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: `${MARKER} is not JSON` };
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    return { problem: absent ? `${MARKER} is missing` : `${MARKER} cannot be read: ${reasonOf(error)}` };
  }
  if (value === null || typeof value !== "object") return { problem: `${MARKER} is not a marker` };
  const { sha256: seal, ...rest } = value as Record<string, Json>;
  if (rest.kind !== "faces") return { problem: `${MARKER} is not that of a face store` };
  if (typeof rest.format === "number" && rest.format > FORMAT)
    return { problem: `${MARKER} has format ${rest.format}, newer than this affect-pipe reads (${FORMAT})` };
  if (seal !== digestOf(rest)) return { problem: `${MARKER} was changed after it was written` };
  const parsed = marker.safeParse(rest);
  if (!parsed.success) return { problem: `${MARKER} lacks what a marker says: ${z.prettifyError(parsed.error)}` };
  return parsed.data;
}

/** Name of pixel file number `shard`: faces one after the other, side × side × 3 bytes of RGB each. */
export function shardName(shard: number): string {
  return `faces-${String(shard).padStart(5, "0")}.rgb`;
}
