import { join } from "node:path";
import { z } from "zod";
import { readSealed, sealed } from "../cache/sealed.ts";
import { digestOf, type Json } from "../digest.ts";

/** The commit marker's file: written last, so a store without it was never finished. */
export const MARKER = "marker.json";
export const ROWS = "rows.arrow";

/** Raised when an older affect-pipe could misread what this one writes. */
const FORMAT = 1;
/** Which part of a picture is the face, and how it is sampled (`vision/boxes.ts`, `vision/resample.ts`). */
const CROP_RULE = "anclaf box, bilinear, 2";
/** Which pictures are taken (`media/images.ts`). */
const PICTURE_RULE = "undamaged, 1";

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
  return digestOf(["faces", FORMAT, CROP_RULE, PICTURE_RULE, dataset, side, media]);
}

/** sha256 of what a store holds: of its faces and labels, wherever the dataset lay. */
export function faceDigest({ dataset, side, files }: FaceMarker): string {
  return digestOf(["faces", dataset.digest, side, files.map((file) => file.sha256)]);
}

/** The marker as text, with its own sha256 in it. */
export function encodeMarker(value: Omit<FaceMarker, "format" | "kind" | "rule">): string {
  return sealed(marker.parse({ ...value, format: FORMAT, kind: "faces", rule: CROP_RULE }) as Record<string, Json>);
}

/** The marker of a store's folder, or what is wrong with it in words. */
export function readMarker(folder: string): Promise<FaceMarker | { problem: string }> {
  const kind = { name: "faces", words: "a face store" };
  return readSealed(join(folder, MARKER), { schema: marker, format: FORMAT, kind });
}

/** Name of pixel file number `shard`: faces one after the other, side × side × 3 bytes of RGB each. */
export function shardName(shard: number): string {
  return `faces-${String(shard).padStart(5, "0")}.rgb`;
}
