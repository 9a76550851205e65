import { existsSync } from "node:fs";
import { join } from "node:path";
import { PipeError } from "../errors.ts";
import { toNative } from "../nn/label-scale.ts";
import { METRICS, type Metric } from "../nn/metrics.ts";
import type { ResultRow } from "../systems/anclaf/evaluation.ts";
import { PAPER_METRICS, type PaperDataset, paperRows } from "../systems/anclaf/paper-results.ts";
import { TRUTH_FILE } from "./synth/faces-truth.ts";
import { faceOracles } from "./synth/oracle-faces.ts";
import type { LabelRange } from "./types.ts";

/** What results on a data set are held against. */
export interface Yardsticks {
  /** The data was drawn, under whatever name it was trained on. */
  readonly drawn: boolean;
  /** The papers' rows, in their order; none where they know nothing like it. */
  readonly paper: readonly PaperRow[];
  /** Those of the papers' table, or all. */
  readonly metrics: readonly Metric[];
  /** What the best possible predictor from windows of n frames says of a face, native units; null where nobody knows. */
  readonly oracle: ((n: number) => (face: Face) => Record<"valence" | "arousal", number>) | null;
}

interface PaperRow {
  /** Without n. */
  readonly family: string;
  readonly n: number | null;
  readonly figures: Readonly<Record<"valence" | "arousal" | "average", Readonly<Partial<Record<Metric, number>>>>>;
}

interface Face {
  readonly clip: string;
  readonly frame: number;
}

export interface YardsticksOptions {
  /** Name of the data set. */
  readonly dataset: string;
  /** Its folder, where that is known: drawn data has its truth there. */
  readonly data: string | undefined;
  readonly range: LabelRange;
  /** All that the best possible predictor will be asked of. */
  readonly faces: Iterable<Face>;
  /** Is told what is left out. */
  note(message: string): void;
}

/** The papers' rows of sequence models on a data set, and the best possible predictors where it was drawn and is still there. */
export async function yardsticksOf({ dataset, ...options }: YardsticksOptions): Promise<Yardsticks> {
  const own = Object.hasOwn(PAPER_METRICS, dataset) ? (dataset as PaperDataset) : null;
  const oracle = await oracleOf({ dataset, ...options });
  // Drawn faces are in AFEW-VA's layout and units, and may be trained on under its name.
  const drawn = dataset === "synth" || oracle !== null;
  const paper = own ?? (drawn ? "afew-va" : null);
  return {
    drawn,
    paper: paper ? paperRows(paper).map(paperRow) : [],
    metrics: own && !drawn ? PAPER_METRICS[own] : METRICS,
    oracle,
  };
}

/** `Paper: ANCLaF-S-8` as a family and a length. */
function paperRow(row: ResultRow): PaperRow {
  const name = row.name.replace(/^Paper: /, "");
  const [, family, n] = /^(ANCLaF-SA?)-(\d+)$/.exec(name) ?? [];
  const figures = row.figures as PaperRow["figures"];
  return family === undefined ? { family: name, n: null, figures } : { family, n: Number(n), figures };
}

async function oracleOf({ dataset, data, range, faces, note }: YardsticksOptions): Promise<Yardsticks["oracle"]> {
  if (data === undefined || (dataset !== "synth" && !existsSync(join(data, TRUTH_FILE)))) return null;
  try {
    const oracles = await faceOracles(data);
    const first = oracles(1);
    for (const { clip, frame } of faces)
      if (first(clip, frame) === undefined) throw new PipeError(`${data} has no frame ${frame} of clip ${clip}`);
    return (n) => {
      const of = oracles(n);
      return ({ clip, frame }) => {
        const { valence, arousal } = of(clip, frame)!;
        return { valence: toNative(valence, range.valence), arousal: toNative(arousal, range.arousal) };
      };
    };
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    note(`The best possible predictions are left out: ${error.message}`);
    return null;
  }
}
