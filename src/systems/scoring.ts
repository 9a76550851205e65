import type { ENGINES, PROVIDERS } from "../compile/types.ts";
import type { Json } from "../digest.ts";
import type { Image } from "../records.ts";

/** What a model says of one face; null where it has no such answer. Fields as in `Prediction`. */
export interface FaceScore {
  readonly valence: number | null;
  readonly arousal: number | null;
  readonly quadrant: Float32Array | null;
  readonly confidence: number | null;
  readonly entropy: number | null;
  readonly expression: { readonly name: string; readonly probability: number } | null;
}

/** Lowest and highest value of what a model says, in its native units. */
export interface Scale {
  readonly valence: readonly [low: number, high: number];
  readonly arousal: readonly [low: number, high: number];
}

export const UNIT_SCALE: Scale = { valence: [-1, 1], arousal: [-1, 1] };

interface Opened extends AsyncDisposable {
  /** What it is and where its numbers come from, for reports. */
  readonly about: string;
  /** sha256 of the files that were opened, by the names that the stage plans with. */
  readonly models: Readonly<Record<string, string>>;
  readonly engine: Json;
  readonly scale: Scale;
  /** What its weights have seen, in the words of their file; null where it does not say. */
  readonly trainedOn: string | null;
  /** Why nobody should rely on its numbers, for every page that shows them; null where nothing is known against them. */
  readonly caution: string | null;
  /** Something that whoever runs it should know, or nothing. */
  readonly notes: readonly string[];
}

/** A model that looks at one face at a time. */
export interface FrameScorer extends Opened {
  readonly kind: "frame";
  /** One score a face, in order; a face's score never depends on the others. */
  encode(faces: readonly Image[]): Promise<readonly FaceScore[]>;
}

/** A model that looks at `n` frames of one track at a time. */
export interface SequenceScorer extends Opened {
  readonly kind: "sequence";
  /** Steps of one window. */
  readonly n: number;
  /** Time between the steps that it was trained on, µs; null where nobody knows. */
  readonly interval: number | null;
  /** What the window's network needs of each face, in order; a face's features never depend on the others. */
  encode(faces: readonly Image[]): Promise<readonly Float32Array[]>;
  /** The scores of a window's steps; those of missing ones are of no account. */
  finish(window: StepWindow): Promise<readonly FaceScore[]>;
}

/** `n` steps of one track; null where the face was not there, and after the end of a track that is shorter. */
export type StepWindow = readonly (Float32Array | null)[];

export type Scorer = FrameScorer | SequenceScorer;

/** How a scorer is run; none of it changes what it says. */
export interface ScorerRun {
  /** Most faces in one call of `encode`. */
  readonly batch: number;
  readonly engine: (typeof ENGINES)[number];
  readonly provider: (typeof PROVIDERS)[number];
  readonly threads?: number | undefined;
}
