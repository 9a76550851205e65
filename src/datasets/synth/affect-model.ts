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
 * muscles' lag, but with a rhythm of about the same size laid over it, as speech lays its syllables over a real face,
 * about six a second: ONE FRAME IS AMBIGUOUS, for a raised corner may be pleasure or a syllable. A window of 160 ms is
 * about one turn of the rhythm: over it the rhythm averages out, and level is what is felt. Longer windows add little.
 *
 * `carrier` moves another part of the face (the opening of the mouth; the slant of the brows): c is a damped
 * oscillator, kept going by chance, and the rhythm is its SPEED: dc/dt = 2π·hertz·r, with c and r of unit variance.
 * Where a part stands says nothing about how fast it moves, so one frame tells nothing of r; some frames in order do,
 * and then less than a turn is enough. Tremor, drawn anew for each frame, hides the speed between two neighbours.
 *
 * So there are two ways to the gain. Averaging needs no order, is easily learned and does best at whole turns; in fewer
 * frames, order and carrier are worth as much again. A rhythm much slower than a window leaves only the second way,
 * which a recurrent network did not learn from some hundreds of clips.
 *
 * Rest (the actor's face at rest) and mask (how a clip's face differs from what is felt) cannot be told from mood by any
 * window: they bound what is reachable.
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
  /** Of the oscillator without its damping, per second. */
  readonly hertz: number;
  /** Damping per second, below 2π·hertz: d²c/dt² = −(2π·hertz)²·c − 2·fading·dc/dt + white noise. */
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
    hertz: 6,
    fading: 2,
    tremor: { level: 0.1, carrier: 0.8 },
  },
  arousal: {
    mood: 0.32,
    swing: 0.52,
    pace: 2.8,
    lag: 0.06,
    rest: 0.12,
    mask: 0.16,
    rhythm: 0.62,
    hertz: 5.6,
    fading: 2,
    tremor: { level: 0.1, carrier: 0.8 },
  },
};

/** What is felt, on the scale of g, as a label −1..1. */
export const labelOf = (felt: number): number => Math.tanh(felt);

/**
 * How a damped oscillator moves on in `seconds` ≥ 0: what both its transition and its correlation are made of.
 * `sin` is divided by the angular frequency, per second.
 */
export function swaying(
  { hertz, fading }: DimensionModel,
  seconds: number,
): { fall: number; cos: number; sin: number } {
  const angular = Math.sqrt((2 * Math.PI * hertz) ** 2 - fading ** 2);
  const angle = angular * seconds;
  return { fall: Math.exp(-fading * seconds), cos: Math.cos(angle), sin: Math.sin(angle) / angular };
}
