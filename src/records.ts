/**
 * The nouns that flow. Every record is a plain object; pixels and features are typed arrays with their shape beside them.
 *
 * Units: time is `pts`, integer microseconds on the container's presentation clock (never frame number / fps);
 * lengths and positions are pixels of the upright, square-pixel frame, origin top left, x right, y down.
 */

/**
 * Why a row has, or lacks, pixels. Missing is data: a frame without a face still gives one row. `low_score`: the detector
 * doubts it; `low_presence`: the detector is sure, and the landmark network sees no face there. New ones go to the end.
 */
export const STATUSES = [
  "ok",
  "no_face",
  "too_small",
  "low_score",
  "decode_error",
  "not_sampled",
  "low_presence",
] as const;
export type Status = (typeof STATUSES)[number];

/** How decoding ended: every packet decoded | the file ends early | packets inside it could not be decoded. */
export const VERDICTS = ["complete", "truncated", "damaged"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One input, named by its bytes. `digest` is the sha256 (hex) of the file's bytes, so a rename or a touch changes nothing. */
export interface Source {
  /** Absolute path, as opened. */
  readonly path: string;
  /** Path shown to people: relative to the input root it was found under. */
  readonly name: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** sha256 of the bytes, hex. */
  readonly digest: string;
  /** Where it is a clip of a labelled data set. */
  readonly clip?: FoldedClip;
}

/** What a clip is to a fold: which people a fold's model learned from decides what may be concluded from its latents. */
export interface FoldedClip {
  /** Unique in the data set. */
  readonly id: string;
  /** Who may not stand in two folds: the actor, or the session. */
  readonly group: string;
  /** From 0. */
  readonly fold: number;
  readonly folds: number;
  readonly part: "training" | "validation" | "test";
  /** sha256 (hex) of the split and the fold's number: what that fold's models say that they were trained on. */
  readonly digest: string;
  /** Labelled frames, those included whose face could not be cut out. */
  readonly labelled: number;
}

/** Folds as options ask for them, before any data is looked at. */
export interface FoldsAsked {
  /** Numbers from 0. */
  readonly folds: readonly number[];
  /** The options that decide who is in which fold, by name. */
  readonly split: Readonly<Record<string, string | number>>;
}

/** An input that was named but may not be read, with the reason in words. It becomes a failed item, never a silent gap. */
export interface Refused {
  readonly path: string;
  readonly name: string;
  readonly refused: string;
}

/** Interleaved 8-bit RGB, row-major: `data[(y * width + x) * 3 + channel]`, length width × height × 3. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Axis-aligned box in pixels of the frame; may reach outside it. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One sampled frame. */
export interface Frame {
  readonly kind: "frame";
  /** Position among the *decoded* frames of the file, from 0, also where only a part of it was asked for. */
  readonly index: number;
  readonly pts: number;
  readonly image: Image;
}

/** Ground truth of one subject in one frame, in the native units of its data set. */
export interface Label {
  readonly valence: number;
  readonly arousal: number;
}

/** What every row says of one subject in one sampled frame. */
export interface Subject {
  readonly index: number;
  readonly pts: number;
  readonly status: Status;
  /** Track id, from 0 in order of first appearance in the video; -1 where there is no subject. Never reused after a cut. */
  readonly track: number;
  /** Shot number, from 0; tracks never cross a shot change. */
  readonly shot: number;
  readonly box: Box | null;
  /** Detector's confidence, 0..1; 0 where there is no subject. */
  readonly score: number;
  /** How sure the landmark network is that the box holds a face, 0..1; absent where it did not look. */
  readonly presence?: number;
  /** x0, y0, x1, y1, … in pixels of the frame; null where the detector gives none. */
  readonly landmarks: Float32Array | null;
  /** Absent where none is known, as in videos that nobody annotated. */
  readonly label?: Label;
}

/** What a record says of its subject, without what its own kind adds. */
export function subjectOf(record: Subject): Subject {
  const { index, pts, status, track, shot, box, score, presence, landmarks, label } = record;
  const known = { ...(presence !== undefined && { presence }), ...(label && { label }) };
  return { index, pts, status, track, shot, box, score, landmarks, ...known };
}

/** One face or body cut from a frame. `image` is null exactly when `status` is not `ok`. */
export interface Crop extends Subject {
  readonly kind: "crop";
  readonly image: Image | null;
  /** Size of the frame that the crop was cut from, pixels; null where crops were kept and frames were not. */
  readonly frame: { readonly width: number; readonly height: number } | null;
}

/** Latent Z (and quadrant Q) of one crop. `z` is null when `status` is not `ok`, or when its values were left on disk. */
export interface Latent extends Subject {
  readonly kind: "latent";
  /** Channel-first features, row-major over `shape`. */
  readonly z: Float32Array | null;
  /** [channels, height, width], e.g. [68, 32, 32] for Z with a one-hot-sized Q. */
  readonly shape: readonly number[];
  /** Quadrant probabilities, ids as in the ANCLaF paper: 0 V+A+, 1 V−A+, 2 V−A−, 3 V+A−. */
  readonly q: Float32Array | null;
  /** Where its values lie in the cache; absent where none were stored. */
  readonly place?: Place;
  /** Name of the source that it came from, where one task reads many. */
  readonly source?: string;
  /** Whose face it is, where the source is a clip of a labelled data set. */
  readonly clip?: FoldedClip;
}

/** Where the values of one latent lie. */
export interface Place {
  /** Absolute path of the cache entry. */
  readonly folder: string;
  /** Position among the entry's dense latents, from 0. */
  readonly row: number;
}

/**
 * `n` steps of one track, one after the other in time; what each step's values are stays on disk. All arrays have `n`
 * steps; where the clip has fewer, the rest is padding. A step whose face was not found is missing, not left out.
 */
export interface Window {
  readonly kind: "window";
  /** Nominal length in steps. */
  readonly n: number;
  /** Name of the source. */
  readonly source: string;
  readonly clip: FoldedClip | null;
  readonly track: number;
  /** Absolute path of the cache entry that holds the values. */
  readonly folder: string;
  /** Shape of one step's values. */
  readonly shape: readonly number[];
  /** [n] Position among the entry's dense latents; -1 where the step is missing, and in padding. */
  readonly rows: Int32Array;
  /** [n] Number of the frame; -1 in padding, and where a missing step's number cannot be told. */
  readonly index: Int32Array;
  /** [n] Microseconds; NaN in padding. */
  readonly pts: Float64Array;
  /** [n] 1 where `rows` is not -1, else 0. */
  readonly present: Uint8Array;
  /** [n, 2] Valence and arousal in native units; NaN where there is none. */
  readonly labels: Float32Array;
  /** Steps that are of the clip: those from here on are padding. */
  readonly length: number;
  /** First step that no earlier window of this `n` scored: this one scores steps `fresh` to `length - 1`. */
  readonly fresh: number;
}

/** Windows of one `n` and one shape, with their values. */
export interface Batch {
  readonly kind: "batch";
  readonly windows: readonly Window[];
  readonly n: number;
  /** Shape of one step's values. */
  readonly shape: readonly number[];
  /** [windows, n, ...shape], zeros where a step is missing or padding. */
  readonly values: Float32Array;
  /** [windows, n] 1 where a step has values, else 0. */
  readonly present: Uint8Array;
  /** [windows, n, 2] Valence and arousal in native units; NaN where there is none. */
  readonly labels: Float32Array;
}

/**
 * What a model says of one face. Its answers are in the model's native units and as it gave them, smoothed over nothing;
 * each is null where `status` is not `ok`, and where the model has no such answer.
 */
export interface Prediction extends Subject {
  readonly kind: "prediction";
  readonly valence: number | null;
  readonly arousal: number | null;
  /** Quadrant probabilities, 4, ids as in {@link Latent.q}. */
  readonly quadrant: Float32Array | null;
  /** 0..1, how sure the model says it is. */
  readonly confidence: number | null;
  /** Entropy of the attention weights, nats: 0 where one frame was looked at, ln n where n were alike. */
  readonly entropy: number | null;
  /** The likeliest expression and its probability, of models that tell some apart. */
  readonly expression: { readonly name: string; readonly probability: number } | null;
  /** What the answer may suffer from; null exactly when `status` is not `ok`. */
  readonly quality: FaceQuality | null;
  /** The face as it was cut; null exactly when `status` is not `ok`. */
  readonly image: Image | null;
}

/** How well a face can be seen. */
export interface FaceQuality {
  /** Shorter side of the face's box in the frame, pixels. */
  readonly size: number;
  /** Variance of the Laplacian of the crop's brightness 0..255: the lower, the more blurred. Compare crops of one size alone. */
  readonly blur: number;
  /** Degrees, positive where the face is turned to the image's right; null where the detector gives no landmarks for it. */
  readonly yaw: number | null;
}

/** One split of a labelled data set by people: whoever is tested is in no other part. The faces themselves stay on disk. */
export interface Fold {
  readonly kind: "fold";
  /** From 0. */
  readonly fold: number;
  /** How many folds the data set was split into. */
  readonly folds: number;
  /** Absolute path of the face store's folder. */
  readonly store: string;
  /** Absolute path of the file that says which clip is in which fold. */
  readonly split: string;
}

/** Something published on disk: the last word of a pipeline. */
export interface Artifact {
  readonly kind: "artifact";
  /** Absolute path of the published file or folder. */
  readonly path: string;
  readonly bytes: number;
}

/** Kind name → record type: the vocabulary that `takes` and `gives` are checked against. */
export interface Records {
  frame: Frame;
  crop: Crop;
  latent: Latent;
  window: Window;
  batch: Batch;
  prediction: Prediction;
  fold: Fold;
  artifact: Artifact;
}
export type Kind = keyof Records;
export type AnyRecord = Records[Kind];

/** Bytes of pixels and features that a record holds: what the queues between stages are bounded by. */
export function bytesOf(record: AnyRecord): number {
  const overhead = 256;
  switch (record.kind) {
    case "frame":
      return overhead + record.image.data.byteLength;
    case "crop":
      return overhead + (record.image?.data.byteLength ?? 0) + (record.landmarks?.byteLength ?? 0);
    case "prediction":
      return overhead + (record.image?.data.byteLength ?? 0) + (record.landmarks?.byteLength ?? 0);
    case "latent":
      return overhead + (record.z?.byteLength ?? 0);
    case "window":
      return overhead + record.n * BYTES_A_STEP;
    case "batch":
      return (
        record.values.byteLength +
        record.present.byteLength +
        record.labels.byteLength +
        record.windows.length * (overhead + record.n * BYTES_A_STEP)
      );
    case "fold":
    case "artifact":
      return overhead;
  }
}

/** Of a window: row, index, pts, present and two labels. */
const BYTES_A_STEP = 4 + 4 + 8 + 1 + 2 * 4;
