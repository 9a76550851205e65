import { affectQuadrant, likeliest, type ScoreRow, type ScoreScale } from "./row.ts";

/** One column of the scores, whatever the file's format. */
export interface Column {
  readonly name: string;
  readonly type: "INT64" | "INT32" | "DOUBLE" | "FLOAT" | "STRING";
  readonly nullable: boolean;
  /** INT64 as a bigint. */
  of(row: ScoreRow): number | bigint | string | null;
}

/**
 * The columns of `scores.parquet` and `scores.csv`. Empty: nothing is known.
 *
 * @param firstPts pts of the file's first frame
 */
export function columns(scale: ScoreScale, firstPts = 0): readonly Column[] {
  const needed = (name: string, type: Column["type"], of: Column["of"]): Column => ({
    name,
    type,
    nullable: false,
    of,
  });
  const open = (name: string, type: Column["type"], of: Column["of"]): Column => ({ name, type, nullable: true, of });
  return [
    // Microseconds on the container's presentation clock, and the same in seconds.
    needed("pts", "INT64", ({ pts }) => BigInt(pts)),
    needed("seconds", "DOUBLE", ({ pts }) => pts / 1e6),
    // Among the decoded frames of the file, from 0.
    needed("frame", "INT32", ({ index }) => index),
    needed("shot", "INT32", ({ shot }) => shot),
    open("track", "INT32", ({ track }) => (track < 0 ? null : track)),
    // Pixels of the upright frame.
    open("box_x", "FLOAT", ({ box }) => box?.x ?? null),
    open("box_y", "FLOAT", ({ box }) => box?.y ?? null),
    open("box_width", "FLOAT", ({ box }) => box?.width ?? null),
    open("box_height", "FLOAT", ({ box }) => box?.height ?? null),
    needed("status", "STRING", ({ status }) => status),
    // The detector's, 0..1.
    needed("score", "FLOAT", ({ score }) => score),
    // The model's native units: as it said them, and smoothed.
    open("valence", "FLOAT", ({ valence }) => valence),
    open("arousal", "FLOAT", ({ arousal }) => arousal),
    open("valence_smoothed", "FLOAT", ({ valenceSmoothed }) => valenceSmoothed),
    open("arousal_smoothed", "FLOAT", ({ arousalSmoothed }) => arousalSmoothed),
    // The model's own answer about quadrants (0 V+A+, 1 V−A+, 2 V−A−, 3 V+A−): the likeliest, and the probability of each.
    open("quadrant", "INT32", ({ quadrant }) => quadrant && likeliest(quadrant)),
    ...[0, 1, 2, 3].map((id) => open(`quadrant_${id}`, "FLOAT", ({ quadrant }) => quadrant?.[id] ?? null)),
    // The model's own where it gives one; else the probability of `quadrant`, or of `expression`.
    open("confidence", "FLOAT", ({ confidence }) => confidence),
    open("attention_entropy", "FLOAT", ({ entropy }) => entropy),
    open("expression", "STRING", ({ expression }) => expression?.name ?? null),
    open("expression_probability", "FLOAT", ({ expression }) => expression?.probability ?? null),
    // Pixels; variance of the Laplacian of the crop; degrees, positive to the image's right.
    open("face_size", "FLOAT", ({ quality }) => quality?.size ?? null),
    open("blur", "FLOAT", ({ quality }) => quality?.blur ?? null),
    open("yaw", "FLOAT", ({ quality }) => quality?.yaw ?? null),
    // Newer columns come last, for those who read by position.
    // Seconds since the file's first frame, as players count.
    needed("shown_seconds", "DOUBLE", ({ pts }) => (pts - firstPts) / 1e6),
    // The landmark network's, 0..1.
    open("face_presence", "FLOAT", ({ presence }) => presence ?? null),
    // Of the raw valence and arousal, about the middle of their scales: what the model says of quadrants may be another.
    open("affect_quadrant", "INT32", (row) => affectQuadrant(row, scale)),
  ];
}
