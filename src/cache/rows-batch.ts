import {
  type Data,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Struct,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { canonical } from "../digest.ts";
import { STATUSES } from "../records.ts";
import { LANDMARKS_TYPE, Q_TYPE, ROWS_SCHEMA, type Row, STATUS_TYPE } from "./rows-schema.ts";

/** Rows as one record batch of ROWS_SCHEMA. */
export function rowsBatch(rows: readonly Row[]): RecordBatch {
  const length = rows.length;
  const int = (values: number[]) =>
    makeData({ type: new Int32(), length, nullCount: 0, data: Int32Array.from(values) });
  const box = (side: "x" | "y" | "width" | "height") =>
    makeData({
      type: new Float64(),
      length,
      ...validity(rows, (row) => row.box !== null),
      data: Float64Array.from(rows, (row) => row.box?.[side] ?? 0),
    });
  const children: Data[] = [
    int(rows.map((row) => row.index)),
    makeData({ type: new Int64(), length, nullCount: 0, data: BigInt64Array.from(rows, (row) => BigInt(row.pts)) }),
    makeData({
      type: STATUS_TYPE,
      length,
      nullCount: 0,
      data: Int8Array.from(rows, (row) => STATUSES.indexOf(row.status)),
      dictionary: STATUS_NAMES,
    }),
    int(rows.map((row) => row.track)),
    int(rows.map((row) => row.shot)),
    box("x"),
    box("y"),
    box("width"),
    box("height"),
    makeData({ type: new Float64(), length, nullCount: 0, data: Float64Array.from(rows, (row) => row.score) }),
    landmarks(rows),
    quadrants(rows),
    makeData({
      type: new Int32(),
      length,
      ...validity(rows, (row) => row.z !== null),
      data: Int32Array.from(rows, (row) => row.z ?? 0),
    }),
    labels(rows),
    makeData({
      type: new Float64(),
      length,
      ...validity(rows, (row) => row.presence !== undefined),
      data: Float64Array.from(rows, (row) => row.presence ?? 0),
    }),
  ];
  return new RecordBatch(
    ROWS_SCHEMA,
    makeData({ type: new Struct(ROWS_SCHEMA.fields), length, nullCount: 0, children }) as Data<Struct>,
  );
}

const STATUS_NAMES = vectorFromArray([...STATUSES], new Utf8());

/** Arrow's validity bitmap: bit i set where row i has the value. */
function validity(rows: readonly Row[], has: (row: Row) => boolean): { nullCount: number; nullBitmap: Uint8Array } {
  const nullBitmap = new Uint8Array((rows.length + 7) >>> 3);
  let nullCount = rows.length;
  for (const [i, row] of rows.entries())
    if (has(row)) {
      nullBitmap[i >> 3]! |= 1 << (i & 7);
      nullCount -= 1;
    }
  return { nullCount, nullBitmap };
}

function landmarks(rows: readonly Row[]): Data {
  const values = concat(rows.map((row) => row.landmarks ?? EMPTY));
  return makeData({
    type: LANDMARKS_TYPE,
    length: rows.length,
    ...validity(rows, (row) => row.landmarks !== null),
    valueOffsets: offsets(rows.map((row) => row.landmarks?.length ?? 0)),
    child: makeData({ type: new Float32(), length: values.length, nullCount: 0, data: values }),
  });
}

function quadrants(rows: readonly Row[]): Data {
  const values = concat(rows.map((row) => row.q ?? NO_QUADRANTS));
  return makeData({
    type: Q_TYPE,
    length: rows.length,
    ...validity(rows, (row) => row.q !== null),
    child: makeData({ type: new Float32(), length: values.length, nullCount: 0, data: values }),
  });
}

function labels(rows: readonly Row[]): Data {
  const texts = rows.map((row) => Buffer.from(row.labels === null ? "" : canonical(row.labels)));
  return makeData({
    type: new Utf8(),
    length: rows.length,
    ...validity(rows, (row) => row.labels !== null),
    valueOffsets: offsets(texts.map((text) => text.length)),
    data: new Uint8Array(Buffer.concat(texts)),
  });
}

const EMPTY = new Float32Array(0);
const NO_QUADRANTS = new Float32Array(Q_TYPE.listSize);

function concat(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Where each list begins, and where the last ends. */
function offsets(lengths: readonly number[]): Int32Array {
  const ends = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) ends[i + 1] = ends[i]! + length;
  return ends;
}
