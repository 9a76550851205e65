import { join, resolve } from "node:path";
import { z } from "zod";
import { checkBalance } from "../cache/balance.ts";
import { TextFile } from "../cache/text-file.ts";
import type { Json } from "../digest.ts";
import type { Crop, Latent } from "../records.ts";
import { safeName } from "../safe-name.ts";
import { defineStage } from "./define.ts";

const FORMATS = ["jsonl", "csv"] as const;

/** Rows as text, to look at: all that is known of each subject but pixels and latents. */
export default defineStage({
  name: "write-rows",
  summary: "crop* or latent* → one JSONL or CSV file a source, to look at",
  version: 3,
  takes: ["crop", "latent"],
  gives: "artifact",
  options: z.strictObject({
    output: z.string().min(1).default("data/rows").describe("folder for the files, one a source"),
    format: z
      .enum(FORMATS)
      .default("jsonl")
      .describe("jsonl: one JSON object a line; csv: with a header, lists as JSON"),
  }),
  runtime: ["output"],
  output: ({ output }) => output,
  run: ({ output, format }, context) =>
    async function* (records) {
      const { source, ledger, signal } = context;
      const name = `${safeName(source.name)}-${source.digest.slice(0, 8)}.${format}`;
      await using file = await TextFile.open(join(resolve(output), name));
      const encode = format === "csv" ? await csv() : jsonl;
      await file.write(format === "csv" ? `${COLUMNS.join(",")}\n` : "");
      for await (const record of records) {
        signal.throwIfAborted();
        await file.write(encode(rowOf(record)));
        ledger.row(record.status);
      }
      signal.throwIfAborted();
      checkBalance(ledger);
      yield { kind: "artifact", path: file.path, bytes: await file.publish() };
    },
});

const COLUMNS = [
  "index",
  "pts",
  "status",
  "track",
  "shot",
  "box_x",
  "box_y",
  "box_width",
  "box_height",
  "score",
  "face_presence",
  "landmarks",
  "q",
  "valence",
  "arousal",
] as const;

type Row = Record<(typeof COLUMNS)[number], Json>;

function rowOf(record: Crop | Latent): Row {
  const { index, pts, status, track, shot, box, score, presence, landmarks, label } = record;
  return {
    index,
    pts,
    status,
    track,
    shot,
    box_x: box?.x ?? null,
    box_y: box?.y ?? null,
    box_width: box?.width ?? null,
    box_height: box?.height ?? null,
    score,
    face_presence: presence ?? null,
    landmarks: landmarks && Array.from(landmarks),
    q: record.kind === "latent" && record.q !== null ? Array.from(record.q) : null,
    valence: label?.valence ?? null,
    arousal: label?.arousal ?? null,
  };
}

function jsonl(row: Row): string {
  return `${JSON.stringify(row)}\n`;
}

/** An empty cell is a missing value; a number is written with every digit that it has. */
async function csv(): Promise<(row: Row) => string> {
  const { stringify } = await import("csv-stringify/sync");
  return (row) =>
    stringify([row], { columns: [...COLUMNS], cast: { number: String, object: (v) => JSON.stringify(v) } });
}
