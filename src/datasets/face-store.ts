import type { LabelRange } from "./types.ts";

/**
 * Faces cut out once, on disk, for random access while training: pixels are read by position, labels and landmarks are
 * in memory. Row `i` of every array is face `i`; rows are ordered by clip, then frame id.
 */
export interface FaceStore extends AsyncDisposable {
  readonly folder: string;
  /** Name and digest (sha256) of the dataset whose faces these are. */
  readonly dataset: { readonly name: string; readonly digest: string };
  /** sha256 of what the store holds: equal faces and labels, equal digest. */
  readonly digest: string;
  readonly count: number;
  /** Width and height of a face, pixels. */
  readonly side: number;
  /** Landmarks of a face: 68 or 49. */
  readonly points: number;
  readonly range: LabelRange;
  /** Every clip of the dataset, also those of which no picture could be read. */
  readonly clips: readonly { readonly id: string; readonly group: string }[];
  /** Index into `clips`. */
  readonly clipOf: Int32Array;
  /** The dataset's own frame number. */
  readonly frameOf: Int32Array;
  /** Microseconds on the video's clock; NaN where the dataset has pictures instead of a video. */
  readonly pts: Float64Array;
  /** Native units. */
  readonly valence: Float32Array;
  readonly arousal: Float32Array;
  /** [count, points, 2]: x, y in pixels of the crop, 0..side inside it; may lie outside. */
  readonly landmarks: Float32Array;
  /**
   * Reads faces into `into`: [indices.length, side, side, 3] uint8 RGB, in the order asked for; an index may come twice.
   *
   * @throws RangeError for an index outside 0..count−1 or an array that is too small; PipeError when the store's file was
   * written to after it was opened.
   */
  read(indices: ArrayLike<number>, into: Uint8Array): Promise<void>;
  dispose(): Promise<void>;
}
