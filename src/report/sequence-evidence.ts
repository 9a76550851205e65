import { basename, resolve } from "node:path";
import { digestOf } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { Source } from "../records.ts";
import { namedTrainings } from "./sequence-folders.ts";
import { frameRuns, type SequenceRun, type SequenceTraining, sequenceRuns } from "./sequence-runs.ts";
import type { SequenceTablesOptions } from "./sequence-tables.ts";

/** What results are held against; who knows the papers and the drawn data has it. */
export type ReadYardsticks = (about: {
  readonly dataset: string;
  readonly data: string | undefined;
  readonly range: SequenceRun["range"];
  readonly faces: Iterable<{ readonly clip: string; readonly frame: number }>;
  note(message: string): void;
}) => Promise<
  Pick<SequenceTablesOptions, "paper" | "metrics" | "drawn" | "oracle" | "seenOracle" | "plantedMilliseconds">
>;

export interface EvidenceOptions {
  /** Folders that `train-seq` wrote, or globs: each one run of the same experiment, with a seed of its own. */
  readonly input: readonly string[];
  /** Folder that `train-anclaf` wrote. */
  readonly frames: string;
}

/**
 * All finished trainings of `train-seq` that `input` names, as one source: they are worked on together. Throws a PipeError
 * where there are none, or folders do not go together.
 */
export async function trainingsSource(input: readonly string[], note: (message: string) => void): Promise<Source> {
  const trainings = await namedTrainings(input, note);
  const folders = foldersOf(trainings);
  const digest = digestOf(trainings.map(({ result }) => ({ key: result.key, files: result.files })));
  return { path: folders[0]!, name: folders.map((folder) => basename(folder)).join(", "), bytes: 0, digest };
}

/**
 * What there is to report of sequence models: the finished trainings of `train-seq`, those of `train-anclaf`, and what stands
 * beside them. What is left out is said in a note.
 * Throws a PipeError for trainings of several data sets.
 */
export async function readEvidence(
  { input, frames }: EvidenceOptions,
  yardsticks: ReadYardsticks,
  note: (message: string) => void,
): Promise<SequenceTablesOptions> {
  const trainings = await namedTrainings(input);
  const dataset = oneDataset(trainings);
  const runs = await sequenceRuns(trainings);
  const frame = await frameRuns(resolve(frames), [...new Set(runs.map(({ fold }) => fold))]);
  if (frame.length === 0) note(`The frame models' rows are left out: ${frames} has no finished training.`);
  const [{ range, steps }] = runs as [SequenceRun];
  const beside = await yardsticks({ dataset, data: frame[0]?.result.data, range, faces: steps, note });
  return { runs, frames: frame, ...beside };
}

/** The folders that trainings are in, each once, in the order in which they were named. */
function foldersOf(trainings: readonly SequenceTraining[]): string[] {
  return [...new Set(trainings.map(({ input }) => input))];
}

function oneDataset(trainings: readonly SequenceTraining[]): string {
  const datasets = [...new Set(trainings.map(({ dataset }) => dataset))];
  if (datasets.length === 1) return datasets[0]!;
  throw new PipeError(`The trainings are of ${datasets.join(" and ")}, which do not go into one table.`, {
    hint: "Give the trainings of each data set a folder of their own: --output DIR",
  });
}
