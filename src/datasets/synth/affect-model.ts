import type { Affect } from "./expression.ts";

/** Valence and arousal are made alike, each with numbers of its own, and independently of each other. */
export const DIMENSIONS = ["valence", "arousal"] as const satisfies readonly (keyof Affect)[];
export type Dimension = (typeof DIMENSIONS)[number];

/**
 * How one dimension of affect comes to be and how the face shows it. Everything is a stationary Gaussian process with a
 * closed form, so that the best possible prediction from any window of frames is known exactly (`oracle.ts`).
 *
 * What is felt, g(t), is the clip's mood (a constant) plus a swing, whose correlation over τ seconds is
 * (1 + λ|τ|)·e^(−λ|τ|) (Matérn 3/2: smooth, no fixed period). The label is tanh g(t), in −1..1.
 *
 * The face shows two numbers a frame:
 *
 *     level(t)   = g(t − lag) + rest + mask + rhythm·r(t) + tremor
 *     carrier(t) = c(t) + tremor
 *
 * `level` moves the mouth's corners (valence) or brows and lids (arousal). It is the label's expression, late by the
 * muscles' lag, but with a rhythm of about the same size laid over it, as speech and gestures lay theirs over a real
 * face: ONE FRAME IS AMBIGUOUS, for a raised corner may be pleasure or the rhythm's crest. The rhythm has a second
 * half, the carrier, which moves another part of the face (the opening of the mouth; the slant of the brows): (r, c)
 * turns in a circle of unit variance, with fading memory, so that c is a quarter turn behind r and says nothing about
 * it at the same instant, but the carrier's SPEED says what the rhythm adds to the level: dc/dt ≈ 2π·hertz·r. Tremor,
 * drawn anew for each frame, hides that speed between two neighbours; about 160 ms of frames bring it out, and the
 * order of the frames matters, for reversed time turns the sign of the speed. A rhythm this slow hardly averages out
 * within 160 ms. Rest (the actor's face at rest) and mask (how a clip's face differs from what is felt) cannot be told
 * from mood by any window: they bound what is reachable.
 *
 * Sizes are standard deviations on the scale of g.
 */
export interface DimensionModel {
  readonly mood: number;
  readonly swing: number;
  /** λ, per second. */
  readonly pace: number;
  /** Seconds by which the face follows what is felt; a whole number of steps. */
  readonly lag: number;
  readonly rest: number;
  readonly mask: number;
  /** Size of r within the level. */
  readonly rhythm: number;
  /** Turns of (r, c) per second. */
  readonly hertz: number;
  /** How fast (r, c) forgets its phase and size, per second: correlation e^(−fading·|τ|). */
  readonly fading: number;
  /** Of the level and of the carrier, independent from frame to frame. */
  readonly tremor: { readonly level: number; readonly carrier: number };
}

export const MODEL: Readonly<Record<Dimension, DimensionModel>> = {
  valence: {
    mood: 0.35,
    swing: 0.5,
    pace: 2.2,
    lag: 0.08,
    rest: 0.12,
    mask: 0.16,
    rhythm: 0.6,
    hertz: 1.3,
    fading: 0.25,
    tremor: { level: 0.1, carrier: 0.25 },
  },
  arousal: {
    mood: 0.32,
    swing: 0.52,
    pace: 2.8,
    lag: 0.06,
    rest: 0.12,
    mask: 0.16,
    rhythm: 0.62,
    hertz: 1.15,
    fading: 0.25,
    tremor: { level: 0.1, carrier: 0.25 },
  },
};

/** What is felt, on the scale of g, as a label −1..1. */
export const labelOf = (felt: number): number => Math.tanh(felt);
