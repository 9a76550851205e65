import { open } from "node:fs/promises";
import { type RecordBatch, RecordBatchReader } from "apache-arrow";
import type { Json } from "../digest.ts";
import type { Status } from "../records.ts";
import type { Row } from "./rows-schema.ts";

/** Rows of a `rows.arrow` whose bytes were verified, one record batch in memory. */
export async function* readRows(path: string): AsyncGenerator<Row, void, void> {
  await using handle = await open(path, "r");
  const reader = await RecordBatchReader.from(handle);
  await reader.open();
  for await (const batch of reader) for (let i = 0; i < batch.numRows; i++) yield rowAt(batch, i);
}

function rowAt(batch: RecordBatch, i: number): Row {
  const get = (column: string): unknown => batch.getChild(column)!.get(i);
  const x = get("box_x") as number | null;
  const labels = get("labels") as string | null;
  // Entries from before it was measured lack the column.
  const presence = batch.getChild("face_presence")?.get(i) as number | null | undefined;
  return {
    index: get("index") as number,
    pts: Number(get("pts") as bigint),
    status: get("status") as Status,
    track: get("track") as number,
    shot: get("shot") as number,
    box:
      x === null
        ? null
        : {
            x,
            y: get("box_y") as number,
            width: get("box_width") as number,
            height: get("box_height") as number,
          },
    score: get("score") as number,
    ...(typeof presence === "number" && { presence }),
    landmarks: floats(get("landmarks")),
    q: floats(get("q")),
    z: get("z") as number | null,
    labels: labels === null ? null : (JSON.parse(labels) as Json),
  };
}

/** A copy: the vector looks into its whole record batch. */
function floats(vector: unknown): Float32Array | null {
  return vector === null ? null : (vector as { toArray(): Float32Array }).toArray().slice();
}
