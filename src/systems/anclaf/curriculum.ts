import { PipeError } from "../../errors.ts";
import type { SequenceVariant } from "./stage2.ts";

/** The published windows, frames. */
export const PAPER_LENGTHS = [2, 4, 8, 16, 32] as const;

/** Models that `train-seq` is asked for. */
export const SEQUENCE_MODELS = ["anclaf-s", "anclaf-sa"] as const;
export type SequenceModel = (typeof SEQUENCE_MODELS)[number];

/**
 * What would explain a gain of C-SA's without attention:
 * - `uniform`: C-SA with weights that are all alike, 1 / (t − 1)
 * - `longer`: C-S trained on for as long as C-SA was
 * - `shuffled`: C-SA, its windows' frames out of their order
 * - `frame`: the frame combiner on the same input, trained for as long as all that C-SA went through
 */
export const SEQUENCE_CONTROLS = ["uniform", "longer", "shuffled", "frame"] as const;
export type SequenceControl = (typeof SEQUENCE_CONTROLS)[number];
export type SequenceFamily = SequenceModel | SequenceControl;

/** One training of a curriculum. */
export interface Rung {
  /** `anclaf-s-4`: its folder. */
  readonly name: string;
  readonly family: SequenceFamily;
  readonly variant: SequenceVariant;
  /** Steps in a window. */
  readonly n: number;
  /** The rung whose last weights it starts from; null for fresh ones. */
  readonly from: string | null;
  /** The columns that read the context start as zeros: C-SA begins as the C-S that it comes from. */
  readonly freshAttention: boolean;
  readonly shuffled: boolean;
  /** Iterations. */
  readonly steps: number;
}

export interface CurriculumOptions {
  readonly model: SequenceModel;
  /** Steps in a window of the model that is asked for. */
  readonly n: number;
  /** Lengths on the way there; those above n are passed over. */
  readonly lengths: readonly number[];
  /** C-SA at each length, as in the papers' tables, instead of at n alone. */
  readonly everyLength: boolean;
  readonly controls: boolean;
  /** Iterations of each rung. */
  readonly steps: number;
}

/**
 * The way to a sequence model (ANCLaF §4): C-S at the shortest length from fresh weights, at each longer one from all
 * weights of the one before; C-SA at a length from the C-S of that length; then the controls at n.
 */
export function rungsOf({ model, n, lengths, everyLength, controls, steps }: CurriculumOptions): Rung[] {
  for (const length of [n, ...lengths])
    if (!Number.isInteger(length) || length < 2)
      throw new PipeError(`A sequence model cannot be trained on windows of ${length} steps.`, {
        hint: "It needs at least two: a frame, and one before it.",
      });
  const way = [...new Set([...lengths.filter((length) => length < n), n])].sort((a, b) => a - b);
  const plain = { freshAttention: false, shuffled: false, steps };
  const s = way.map((length, i): Rung => {
    const from = i === 0 ? null : `anclaf-s-${way[i - 1]}`;
    return { name: `anclaf-s-${length}`, family: "anclaf-s", variant: "s", n: length, from, ...plain };
  });
  const attending = (family: SequenceFamily, variant: SequenceVariant, length: number, shuffled = false): Rung => ({
    name: `${family}-${length}`,
    family,
    variant,
    n: length,
    from: `anclaf-s-${length}`,
    freshAttention: true,
    shuffled,
    steps,
  });
  const sa = (everyLength ? way : [n]).map((length) => attending("anclaf-sa", "sa", length));
  const trained = model === "anclaf-sa" ? [...s, ...sa] : s;
  if (!controls) return trained;
  return [
    ...trained,
    attending("uniform", "uniform", n),
    { name: `longer-${n}`, family: "longer", variant: "s", n, from: `anclaf-s-${n}`, ...plain },
    attending("shuffled", "sa", n, true),
    { ...plain, name: `frame-${n}`, family: "frame", variant: "frame", n, from: null, steps: steps * (way.length + 1) },
  ];
}
