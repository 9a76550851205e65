import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { digestOf } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { toNative } from "../nn/label-scale.ts";
import type { Source } from "../records.ts";
import type { PaperResults } from "../report/experiment.ts";
import type { frameRuns, Said, SequenceRun } from "../report/sequence-runs.ts";
import type { SequenceTablesOptions } from "../report/sequence-tables.ts";
import type { ResultRow } from "../systems/anclaf/evaluation.ts";
import type { PaperDataset } from "../systems/anclaf/paper-results.ts";
import type { Context } from "./define.ts";

/** What there is to report of sequence models: their trainings, and all that stands beside them. */
export interface SequenceEvidence extends SequenceTablesOptions {
  /** Name of the data that all were trained on. */
  readonly dataset: string;
}

/** All finished trainings of `train-seq` below `input`, as one source. Throws a PipeError where there are none. */
export async function trainingsSource(input: string): Promise<Source> {
  const { sequenceRuns } = await import("../report/sequence-runs.ts");
  const folder = resolve(input);
  const runs = await sequenceRuns(folder);
  if (runs.length === 0)
    throw new PipeError(`${input} holds no finished training of sequences.`, { hint: "pipe run train-seq makes one." });
  const digest = digestOf(runs.map(({ result }) => ({ key: result.key, files: result.files })));
  return { path: folder, name: basename(folder), bytes: 0, digest };
}

/**
 * Reads the finished trainings of `train-seq` below `input`, and of `train-anclaf` below `frames`. What is left out is said
 * in a note. Throws a PipeError for trainings of several data sets.
 */
export async function readEvidence(input: string, frames: string, context: Context): Promise<SequenceEvidence> {
  const { frameRuns, sequenceRuns } = await import("../report/sequence-runs.ts");
  const { paperRows, PAPER_METRICS } = await import("../systems/anclaf/paper-results.ts");
  const { METRICS } = await import("../nn/metrics.ts");
  const runs = await sequenceRuns(input);
  const dataset = oneDataset(runs);
  const frame = await frameRuns(resolve(frames), [...new Set(runs.map(({ fold }) => fold))]);
  if (frame.length === 0) context.note(`The frame models' rows are left out: ${frames} has no finished training.`);
  const own = Object.hasOwn(PAPER_METRICS, dataset);
  const oracle = await oracleOf(runs, frame, context);
  // Drawn faces are in AFEW-VA's layout and units, and may be trained on under its name.
  const drawn = dataset === "synth" || oracle !== null;
  const paper = own ? (dataset as PaperDataset) : drawn ? "afew-va" : null;
  return {
    dataset,
    runs,
    frames: frame,
    paper: paper ? paperRows(paper).map(paperResults) : [],
    metrics: own && !drawn ? PAPER_METRICS[dataset as PaperDataset] : METRICS,
    drawn,
    oracle,
  };
}

function oneDataset(runs: readonly SequenceRun[]): string {
  const datasets = [...new Set(runs.map(({ dataset }) => dataset))];
  if (datasets.length === 1) return datasets[0]!;
  throw new PipeError(`The trainings are of ${datasets.join(" and ")}, which do not go into one table.`, {
    hint: "Give the trainings of each data set a folder of their own: --output DIR",
  });
}

/** `Paper: ANCLaF-S-8` as a family and a length. */
function paperResults(row: ResultRow): PaperResults {
  const name = row.name.replace(/^Paper: /, "");
  const [, family, n] = /^(ANCLaF-SA?)-(\d+)$/.exec(name) ?? [];
  const figures = row.figures as PaperResults["figures"];
  return family === undefined ? { family: name, n: null, figures } : { family, n: Number(n), figures };
}

/** The best predictors on drawn faces, where the drawn data is still there: what no model can go beyond. */
async function oracleOf(runs: readonly SequenceRun[], frame: Awaited<ReturnType<typeof frameRuns>>, context: Context) {
  const { faceOracles } = await import("../datasets/synth/oracle-faces.ts");
  const { TRUTH_FILE } = await import("../datasets/synth/faces-truth.ts");
  const [{ range, dataset }] = runs as [SequenceRun];
  const data = frame[0]?.result.data;
  if (data === undefined || (dataset !== "synth" && !existsSync(join(data, TRUTH_FILE)))) return null;
  try {
    const oracles = await faceOracles(data);
    const missing = runs[0]!.steps.find(({ clip, frame }) => oracles(1)(clip, frame) === undefined);
    if (missing) throw new PipeError(`${data} has no frame ${missing.frame} of clip ${missing.clip}`);
    return (n: number) => {
      const of = oracles(n);
      return ({ clip, frame }: Said) => {
        const { valence, arousal } = of(clip, frame)!;
        return { valence: toNative(valence, range.valence), arousal: toNative(arousal, range.arousal) };
      };
    };
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    context.note(`The best possible predictions are left out: ${error.message}`);
    return null;
  }
}
