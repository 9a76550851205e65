import { PipeError } from "../errors.ts";
import { toUnit } from "../nn/label-scale.ts";
import type { Window } from "../records.ts";
import type { LabelRange } from "./types.ts";
import { type LabelWeights, labelWeights } from "./weights.ts";

/** How the labels of windows are trained on. Dimension 0 is valence, 1 arousal. */
export interface WindowLabels {
  /** Scaled to −1..1. */
  unit(label: number, dimension: 0 | 1): number;
  /** Inverse-frequency weight, mean 1 over the training frames. */
  weight(label: number, dimension: 0 | 1): number;
  /** Means over the training frames, native units: the answer of a model that never looks. */
  readonly mean: Readonly<Record<"valence" | "arousal", number>>;
  /** Training frames that have a face and a label. */
  readonly frames: number;
}

/**
 * Scale and weights of labels by their declared range. Each frame of the training windows counts once, whatever the
 * windows' length. Throws a PipeError when none has a face and a label, or a label is outside the range.
 */
export function windowLabels(training: Iterable<Window>, range: LabelRange): WindowLabels {
  const columns: [number[], number[]] = [[], []];
  for (const { fresh, length, present, labels } of training)
    for (let t = fresh; t < length; t++) {
      const [valence, arousal] = [labels[t * 2]!, labels[t * 2 + 1]!];
      if (present[t] === 0 || Number.isNaN(valence) || Number.isNaN(arousal)) continue;
      columns[0].push(valence);
      columns[1].push(arousal);
    }
  const frames = columns[0].length;
  if (frames === 0) throw new PipeError("No frame of the training people has a face and a label.");
  const ranges = [range.valence, range.arousal] as const;
  const weights = columns.map((column, d) => labelWeights(column, ranges[d]!)) as [LabelWeights, LabelWeights];
  const mean = (column: readonly number[]) => column.reduce((sum, label) => sum + label, 0) / column.length;
  return {
    unit: (label, dimension) => toUnit(label, ranges[dimension]),
    weight: (label, dimension) => weights[dimension].of(label),
    mean: { valence: mean(columns[0]), arousal: mean(columns[1]) },
    frames,
  };
}
