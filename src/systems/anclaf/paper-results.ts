import type { Metric } from "../../nn/metrics.ts";
import type { ResultRow } from "./evaluation.ts";

/** Data sets that the paper reports on. */
export const PAPER_DATASETS = ["afew-va", "sewa"] as const;
export type PaperDataset = (typeof PAPER_DATASETS)[number];

/** The metrics of the paper's table, in its order. */
export const PAPER_METRICS: Record<PaperDataset, readonly [Metric, Metric, Metric]> = {
  "afew-va": ["rmse", "cor", "icc"],
  sewa: ["rmse", "cor", "ccc"],
};

/**
 * The rows of ANCLaF's Tables 1 and 2, in native units, one run each, without a deviation. How folds were joined is not
 * said, and the folds themselves are not public: these are beside ours, not under the same conditions.
 */
export function paperRows(dataset: PaperDataset): ResultRow[] {
  const [first, second, third] = PAPER_METRICS[dataset];
  return ROWS[dataset].map(({ name, numbers }) => {
    const of = (at: number) => {
      const known = ([first, second, third] as const).flatMap((metric, i) => {
        const value = numbers[i * 3 + at]!;
        return value === null ? [] : [[metric, value] as const];
      });
      return Object.fromEntries(known);
    };
    return { name: `Paper: ${name}`, figures: { valence: of(0), arousal: of(1), average: of(2) } };
  });
}

interface PaperRow {
  readonly name: string;
  /** VAL, ARO, AVG of each of the table's three metrics; null where the paper has a dash. */
  readonly numbers: readonly (number | null)[];
}

const row = (name: string, numbers: PaperRow["numbers"]): PaperRow => ({ name, numbers });

const AFEW_VA: readonly PaperRow[] = [
  row("Baseline (Kossaifi et al., 2017)", [2.68, 2.275, 2.478, 0.407, 0.45, 0.429, 0.29, 0.356, 0.323]),
  row("Coherent (Tellamekala and Valstar, 2019)", [null, null, null, 0.293, 0.426, 0.36, null, null, null]),
  row("Simul (Handrich et al., 2020)", [2.6, 2.5, 2.55, 0.39, 0.29, 0.34, 0.32, 0.21, 0.265]),
  row("ANCLaF", [2.682, 2.344, 2.513, 0.306, 0.399, 0.353, 0.219, 0.309, 0.264]),
  row("ANCLaF-S-2", [2.675, 2.295, 2.485, 0.314, 0.41, 0.362, 0.236, 0.296, 0.266]),
  row("ANCLaF-S-4", [2.654, 2.279, 2.467, 0.303, 0.42, 0.361, 0.224, 0.307, 0.266]),
  row("ANCLaF-S-8", [2.595, 2.202, 2.398, 0.328, 0.425, 0.377, 0.272, 0.344, 0.308]),
  row("ANCLaF-S-16", [2.617, 2.292, 2.454, 0.302, 0.401, 0.351, 0.224, 0.299, 0.261]),
  row("ANCLaF-S-32", [2.568, 2.328, 2.448, 0.288, 0.405, 0.346, 0.214, 0.304, 0.259]),
  row("ANCLaF-S-AVG", [2.622, 2.279, 2.45, 0.307, 0.412, 0.36, 0.234, 0.31, 0.272]),
  row("ANCLaF-SA-2", [2.54, 2.241, 2.39, 0.373, 0.454, 0.413, 0.291, 0.353, 0.322]),
  row("ANCLaF-SA-4", [2.586, 2.26, 2.423, 0.386, 0.445, 0.415, 0.302, 0.342, 0.322]),
  row("ANCLaF-SA-8", [2.481, 2.239, 2.36, 0.371, 0.467, 0.419, 0.294, 0.367, 0.331]),
  row("ANCLaF-SA-16", [2.601, 2.225, 2.413, 0.377, 0.467, 0.422, 0.294, 0.363, 0.328]),
  row("ANCLaF-SA-32", [2.581, 2.256, 2.419, 0.361, 0.436, 0.399, 0.27, 0.332, 0.301]),
  row("ANCLaF-SA-AVG", [2.558, 2.244, 2.401, 0.373, 0.454, 0.414, 0.29, 0.352, 0.321]),
];

const SEWA: readonly PaperRow[] = [
  row("Baseline (Kossaifi et al., 2019)", [null, null, null, 0.35, 0.35, 0.35, 0.35, 0.29, 0.32]),
  row("Tensor (Mitenkova et al., 2019)", [0.334, 0.38, 0.357, 0.503, 0.439, 0.471, 0.469, 0.392, 0.431]),
  row("AEG-CD-SZ (Aspandi et al., 2020)", [0.323, 0.35, 0.337, 0.442, 0.478, 0.46, 0.405, 0.43, 0.418]),
  row("ANCLaF", [0.354, 0.347, 0.351, 0.53, 0.395, 0.462, 0.492, 0.364, 0.428]),
  row("ANCLaF-S-2", [0.349, 0.345, 0.347, 0.533, 0.396, 0.464, 0.503, 0.368, 0.436]),
  row("ANCLaF-S-4", [0.344, 0.336, 0.34, 0.536, 0.403, 0.469, 0.51, 0.382, 0.446]),
  row("ANCLaF-S-8", [0.341, 0.339, 0.34, 0.538, 0.404, 0.471, 0.514, 0.381, 0.448]),
  row("ANCLaF-S-16", [0.354, 0.344, 0.349, 0.527, 0.395, 0.461, 0.49, 0.369, 0.429]),
  row("ANCLaF-S-32", [0.353, 0.346, 0.349, 0.527, 0.396, 0.461, 0.494, 0.368, 0.431]),
  row("ANCLaF-S-AVG", [0.348, 0.342, 0.345, 0.532, 0.399, 0.465, 0.502, 0.374, 0.438]),
  row("ANCLaF-SA-2", [0.343, 0.333, 0.338, 0.545, 0.42, 0.482, 0.509, 0.39, 0.449]),
  row("ANCLaF-SA-4", [0.336, 0.328, 0.332, 0.55, 0.429, 0.49, 0.526, 0.399, 0.463]),
  row("ANCLaF-SA-8", [0.336, 0.332, 0.334, 0.558, 0.424, 0.491, 0.529, 0.405, 0.467]),
  row("ANCLaF-SA-16", [0.334, 0.331, 0.332, 0.556, 0.421, 0.488, 0.528, 0.393, 0.461]),
  row("ANCLaF-SA-32", [0.336, 0.362, 0.349, 0.55, 0.418, 0.484, 0.513, 0.389, 0.451]),
  row("ANCLaF-SA-AVG", [0.337, 0.337, 0.337, 0.552, 0.422, 0.488, 0.521, 0.395, 0.458]),
];

const ROWS: Record<PaperDataset, readonly PaperRow[]> = { "afew-va": AFEW_VA, sewa: SEWA };
