import { existsSync } from "node:fs";
import { join } from "node:path";
import { PipeError } from "../errors.ts";
import { toNative } from "../nn/label-scale.ts";
import { METRICS, type Metric } from "../nn/metrics.ts";
import type { ResultRow } from "../systems/anclaf/evaluation.ts";
import { PAPER_METRICS, type PaperDataset, paperRows } from "../systems/anclaf/paper-results.ts";
import { TRUTH_FILE } from "./synth/faces-truth.ts";
import { type FaceOracle, faceOracles } from "./synth/oracle-faces.ts";
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
  /**
   * What the best possible predictor says of a face from so many frames of its clip, this one the last; null for a face with
   * fewer up to it. Null where nobody knows.
   */
  readonly seenOracle: ((frames: number) => (face: Face) => Record<"valence" | "arousal", number> | null) | null;
  /** From how many milliseconds on more frames tell little more, where the data was drawn so. */
  readonly plantedMilliseconds: number | null;
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
  const oracles = await oraclesOf({ dataset, ...options });
  // Drawn faces are in AFEW-VA's layout and units, and may be trained on under its name.
  const drawn = dataset === "synth" || oracles !== null;
  const paper = own ?? (drawn ? "afew-va" : null);
  return {
    drawn,
    paper: paper ? paperRows(paper).map(paperRow) : [],
    metrics: own && !drawn ? PAPER_METRICS[own] : METRICS,
    oracle: oracles?.oracle ?? null,
    seenOracle: oracles?.seenOracle ?? null,
    plantedMilliseconds: drawn ? ONE_TURN : null,
  };
}

/** Of the rhythm that hides affect in a frame (`synth/affect-model.ts`): what is seen for so long averages it out. */
const ONE_TURN = 160;

/** `Paper: ANCLaF-S-8` as a family and a length. */
function paperRow(row: ResultRow): PaperRow {
  const name = row.name.replace(/^Paper: /, "");
  const [, family, n] = /^(ANCLaF-SA?)-(\d+)$/.exec(name) ?? [];
  const figures = row.figures as PaperRow["figures"];
  return family === undefined ? { family: name, n: null, figures } : { family, n: Number(n), figures };
}

async function oraclesOf({
  dataset,
  data,
  range,
  faces,
  note,
}: YardsticksOptions): Promise<Pick<Yardsticks, "oracle" | "seenOracle"> | null> {
  if (data === undefined || (dataset !== "synth" && !existsSync(join(data, TRUTH_FILE)))) return null;
  try {
    const oracles = await faceOracles(data);
    const first = oracles(1);
    for (const { clip, frame } of faces)
      if (first(clip, frame) === undefined) throw new PipeError(`${data} has no frame ${frame} of clip ${clip}`);
    const native = (of: FaceOracle, { clip, frame }: Face) => {
      const { valence, arousal } = of(clip, frame)!;
      return { valence: toNative(valence, range.valence), arousal: toNative(arousal, range.arousal) };
    };
    return {
      oracle(n) {
        const of = oracles(n);
        return (face) => native(of, face);
      },
      seenOracle(frames) {
        const of = oracles(frames, "sliding");
        return (face) => (face.frame + 1 < frames ? null : native(of, face));
      },
    };
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    note(`The best possible predictions are left out: ${error.message}`);
    return null;
  }
}
