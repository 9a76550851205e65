import type { ResultTable } from "./evaluation.ts";

/** A fold's scores for faces distorted in one way; see `ReconstructionScore`. `distorted` is null where it is ∞: JSON has no such number. */
export interface CleanedFaces {
  readonly kind: string;
  readonly faces: number;
  readonly distorted: number | null;
  readonly reconstructed: number;
}

/** Peak signal-to-noise ratios, mean over folds; every fold has the same kinds, in the same order. */
export function reconstructionTable(folds: readonly (readonly CleanedFaces[])[]): ResultTable {
  return {
    title: "What G makes of distorted faces, PSNR in dB to the clean face",
    columns: ["Distortion", "Distorted", "Reconstructed", "Faces"],
    rows: folds[0]!.map(({ kind }, i) => [
      kind,
      meanOf(folds.map((fold) => fold[i]!.distorted)),
      meanOf(folds.map((fold) => fold[i]!.reconstructed)),
      folds.reduce((sum, fold) => sum + fold[i]!.faces, 0),
    ]),
    notes: [],
    digits: 2,
  };
}

function meanOf(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return sum / values.length;
}
