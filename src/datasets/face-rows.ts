import { open } from "node:fs/promises";
import {
  type Data,
  Field,
  FixedSizeList,
  Float32,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchReader,
  Schema,
  Struct,
} from "apache-arrow";
import { ArrowFile } from "../cache/arrow-file.ts";

/** The rows of a face store as columns; row `i` of each is face `i`. */
export interface FaceRows {
  /** Position of its pixels in the pixel files, counted in faces. */
  readonly slot: Int32Array;
  readonly clip: Int32Array;
  readonly frame: Int32Array;
  /** Microseconds; NaN where there is none. */
  readonly pts: Float64Array;
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
  /** [count, 4]: x, y, width, height of the crop in pixels of the frame. */
  readonly box: Int32Array;
  /** [count, points, 2] in pixels of the crop. */
  readonly landmarks: Float32Array;
}

export function emptyRows(count: number, points: number): FaceRows {
  return {
    slot: new Int32Array(count),
    clip: new Int32Array(count),
    frame: new Int32Array(count),
    pts: new Float64Array(count).fill(Number.NaN),
    valence: new Float32Array(count),
    arousal: new Float32Array(count),
    box: new Int32Array(count * 4),
    landmarks: new Float32Array(count * points * 2),
  };
}

/** Writes rows as an Arrow file. */
export async function writeRows(
  path: string,
  rows: FaceRows,
  points: number,
): Promise<{ bytes: number; sha256: string }> {
  const schema = schemaOf(points);
  await using file = await ArrowFile.create(path, schema);
  for (let from = 0; from < rows.slot.length; from += BATCH)
    await file.write(batchOf(schema, rows, from, Math.min(rows.slot.length, from + BATCH), points));
  return await file.end(new Map());
}

/** Reads what {@link writeRows} wrote. */
export async function readRows(path: string, count: number, points: number): Promise<FaceRows> {
  const rows = emptyRows(count, points);
  await using handle = await open(path, "r");
  const reader = await RecordBatchReader.from(handle);
  await reader.open();
  let at = 0;
  for await (const batch of reader) {
    const column = <T>(name: string): T => batch.getChild(name)!.toArray() as T;
    const list = (name: string): Data => batch.getChild(name)!.data[0]!.children[0]!;
    rows.slot.set(column<Int32Array>("slot"), at);
    rows.clip.set(column<Int32Array>("clip"), at);
    rows.frame.set(column<Int32Array>("frame"), at);
    rows.valence.set(column<Float32Array>("valence"), at);
    rows.arousal.set(column<Float32Array>("arousal"), at);
    rows.box.set(list("box").values as Int32Array, at * 4);
    rows.landmarks.set(list("landmarks").values as Float32Array, at * points * 2);
    const pts = batch.getChild("pts")!;
    for (let i = 0; i < batch.numRows; i++) rows.pts[at + i] = Number(pts.get(i) ?? Number.NaN);
    at += batch.numRows;
  }
  return rows;
}

/** Rows of each record batch but the last. */
const BATCH = 8192;

function schemaOf(points: number): Schema {
  return new Schema([
    new Field("slot", new Int32(), false),
    new Field("clip", new Int32(), false),
    new Field("frame", new Int32(), false),
    new Field("pts", new Int64(), true),
    new Field("valence", new Float32(), false),
    new Field("arousal", new Float32(), false),
    new Field("box", new FixedSizeList(4, new Field("item", new Int32(), false)), false),
    new Field("landmarks", new FixedSizeList(points * 2, new Field("item", new Float32(), false)), false),
  ]);
}

function batchOf(schema: Schema, rows: FaceRows, from: number, to: number, points: number): RecordBatch {
  const length = to - from;
  const int = (values: Int32Array, width = 1): Data<Int32> =>
    makeData({
      type: new Int32(),
      length: length * width,
      nullCount: 0,
      data: values.subarray(from * width, to * width),
    });
  const float = (values: Float32Array, width = 1): Data<Float32> =>
    makeData({
      type: new Float32(),
      length: length * width,
      nullCount: 0,
      data: values.subarray(from * width, to * width),
    });
  const list = (column: string, child: Data): Data =>
    makeData({
      type: schema.fields.find((field) => field.name === column)!.type as FixedSizeList,
      length,
      nullCount: 0,
      child,
    });
  const children: Data[] = [
    int(rows.slot),
    int(rows.clip),
    int(rows.frame),
    times(rows.pts.subarray(from, to)),
    float(rows.valence),
    float(rows.arousal),
    list("box", int(rows.box, 4)),
    list("landmarks", float(rows.landmarks, points * 2)),
  ];
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

function times(pts: Float64Array): Data {
  const nullBitmap = new Uint8Array((pts.length + 7) >>> 3);
  let nullCount = 0;
  const data = BigInt64Array.from(pts, (time, i) => {
    if (Number.isNaN(time)) {
      nullCount += 1;
      return 0n;
    }
    nullBitmap[i >> 3]! |= 1 << (i & 7);
    return BigInt(time);
  });
  return makeData({ type: new Int64(), length: pts.length, nullCount, nullBitmap, data });
}
