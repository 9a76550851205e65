import type { Box, Label } from "../records.ts";

/** Lowest and highest value that a label may take, in the dataset's own (native) units. */
export type Interval = readonly [low: number, high: number];

/** The declared range of both labels. Readers assert it: a label outside is an error, never clipped. */
export interface LabelRange {
  readonly valence: Interval;
  readonly arousal: Interval;
}

/** One frame with everything that training needs to know about it but its pixels. */
export interface LabelledFrame {
  /** The dataset's own frame number; ascending and unique within a clip, gaps allowed. */
  readonly id: number;
  /** Native units, inside the dataset's range. */
  readonly valence: number;
  readonly arousal: number;
  /** x0, y0, x1, y1, … in pixels of the frame: `points` × 2 numbers, all finite. */
  readonly landmarks: Float32Array;
  /** The frame whose landmarks these are, where this one's own were missing or unusable. */
  readonly landmarksOf?: number;
}

/** Where a clip's pictures are. */
export type ClipMedia =
  /** One picture file a frame; `paths[i]` belongs to `frames[i]`. */
  | { readonly kind: "images"; readonly paths: readonly string[] }
  | {
      readonly kind: "video";
      readonly path: string;
      /** The frame id of the video's first picture. */
      readonly first: number;
      /**
       * Frame ids a second: id `k` is the picture that is shown at `(k − first) / rate` seconds after the first.
       * "video": one id for each decoded picture, whatever its time.
       */
      readonly rate: number | "video";
    };

/** One clip of one person. */
export interface LabelledClip {
  /** Unique in the dataset. */
  readonly id: string;
  /** Who may not stand in two folds: the actor (AFEW-VA) or the session (SEWA). */
  readonly group: string;
  readonly media: ClipMedia;
  /** By ascending id, at least one. */
  readonly frames: readonly LabelledFrame[];
}

/** Labelled frames that were left out, and why. */
export interface Skip {
  /** Clip and, where it is one frame, frame id or file. */
  readonly where: string;
  readonly reason: string;
  /** How many labelled frames this left out; 0 for a clip whose labels could not be counted. */
  readonly frames: number;
}

/** A dataset's labels, in memory; pictures stay on disk. */
export interface Dataset {
  readonly name: string;
  readonly folder: string;
  readonly range: LabelRange;
  /** Landmarks of every frame. */
  readonly points: 49 | 68;
  /** Sorted by id. */
  readonly clips: readonly LabelledClip[];
  /** Labelled frames found on disk = frames of all clips + frames of all skips. */
  readonly labelled: number;
  readonly skipped: readonly Skip[];
  /** Choices that the reader made for the data at hand, in words, e.g. the annotation channel. */
  readonly notes: readonly string[];
}

/** What a video's faces show over time, as the file beside the video says. */
export interface LabelFile {
  /** Name of the file, for messages. */
  readonly file: string;
  /** What `at` counts: microseconds, or decoded frames from 0. */
  readonly clock: "pts" | "index";
  /** Every label lies within it. */
  readonly range: LabelRange;
  /** The points have boxes: all of them, or none. */
  readonly boxed: boolean;
  /** In the order in which the file first names them; one without a name where it names nobody. */
  readonly people: readonly LabelledPerson[];
}

export interface LabelledPerson {
  readonly name: string | null;
  /** Other spellings of the name that were taken for the same person: see `personKey`. */
  readonly also?: readonly string[];
  /** By ascending `at`, at least one. */
  readonly points: readonly LabelPoint[];
}

export interface LabelPoint {
  readonly at: number;
  readonly label: Label;
  /** Whose face it is: pixels of the upright, square-pixel frame. */
  readonly box: Box | null;
}
