import {
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int32,
  Int64,
  List,
  Schema,
  Utf8,
} from "apache-arrow";
import type { Json } from "../digest.ts";
import type { Subject } from "../records.ts";

/** One line of `rows.arrow`: a subject of a sampled frame, or that frame without one. */
export interface Row extends Omit<Subject, "label"> {
  readonly q: Float32Array | null;
  /** Position of its latent in the entry's z shards; null where it has none. */
  readonly z: number | null;
  /** Labels by name, native units: a `Label` where the subject has one; null where none are known. */
  readonly labels: Json | null;
}

/** The statuses' dictionary has a fixed id, so that equal rows give equal bytes in every process. */
export const STATUS_TYPE = new Dictionary(new Utf8(), new Int8(), 0);
export const LANDMARKS_TYPE = new List(new Field("item", new Float32(), false));
export const Q_TYPE = new FixedSizeList(4, new Field("item", new Float32(), false));

/**
 * `index`, `pts` (µs), `status`, `track`, `shot`, the box in pixels, `score`, `landmarks` (x0, y0, x1, y1, … in pixels),
 * `q` (four quadrant probabilities), `z` (position in the z shards), `labels` (JSON text),
 * `face_presence` (0..1; null where it was not measured).
 */
export const ROWS_SCHEMA = new Schema([
  new Field("index", new Int32(), false),
  new Field("pts", new Int64(), false),
  new Field("status", STATUS_TYPE, false),
  new Field("track", new Int32(), false),
  new Field("shot", new Int32(), false),
  new Field("box_x", new Float64(), true),
  new Field("box_y", new Float64(), true),
  new Field("box_width", new Float64(), true),
  new Field("box_height", new Float64(), true),
  new Field("score", new Float64(), false),
  new Field("landmarks", LANDMARKS_TYPE, true),
  new Field("q", Q_TYPE, true),
  new Field("z", new Int32(), true),
  new Field("labels", new Utf8(), true),
  new Field("face_presence", new Float64(), true),
]);
