import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metric } from "../nn/metrics.ts";
import type { CurvePoint, Experiment, ModelResults, PaperResults, Role, TrainingCurve } from "./experiment.ts";
import { type frameRuns, type Said, type SequenceRun, scoresOf } from "./sequence-runs.ts";
import { sequenceCorrelations, sequenceTraces } from "./sequence-traces.ts";

/** What every model of `train-seq` is called in tables. */
const FAMILIES: Readonly<Record<string, { readonly family: string; readonly role: Role }>> = {
  "anclaf-s": { family: "ANCLaF-S", role: "model" },
  "anclaf-sa": { family: "ANCLaF-SA", role: "model" },
  uniform: { family: "ANCLaF-SA, even weights", role: "control" },
  longer: { family: "ANCLaF-S, trained longer", role: "control" },
  shuffled: { family: "ANCLaF-SA, frames shuffled", role: "control" },
  frame: { family: "Frame combiner, same input", role: "control" },
};

export interface SequenceExperimentOptions {
  /** At least one. */
  readonly runs: readonly SequenceRun[];
  /** The frame models of the same folds; none where they are not to be had. */
  readonly frames: Awaited<ReturnType<typeof frameRuns>>;
  readonly paper: readonly PaperResults[];
  readonly metrics: readonly Metric[];
  /** The data was drawn, under whatever name it was trained on. */
  readonly drawn: boolean;
  /** What the best possible predictor from windows of n frames says of test faces, where the data was drawn. */
  readonly oracle: ((n: number) => (face: Said) => Record<"valence" | "arousal", number>) | null;
}

/** All that is known of the trainings of sequence models: the papers' tables and figures, beside baselines and controls. */
export async function sequenceExperiment(options: SequenceExperimentOptions): Promise<Experiment> {
  const { runs, frames, paper, metrics, drawn } = options;
  const [first] = runs as [SequenceRun];
  const folds = [...new Set(runs.map(({ fold }) => fold))];
  const missing = first.folds - folds.length;
  return {
    title: `ANCLaF, S and SA on ${drawn ? "drawn faces" : first.dataset}`,
    dataset: drawn ? "Drawn faces" : first.dataset,
    synthetic: drawn ? "People and clips were drawn from seeds; labels follow what was drawn." : null,
    range: first.range.valence,
    metrics,
    facts: factsOf(runs),
    notes: [
      "Labels in native units. Nobody in a fold's test set was trained on, or looked at to choose the checkpoint.",
      ...(missing > 0 ? [`${missing} of ${first.folds} folds are not finished.`] : []),
      ...(frames.length < folds.length
        ? [`The frame model has a finished training for ${frames.length} of ${folds.length} folds.`]
        : []),
      ...differingFrames(runs),
    ],
    models: modelsOf(options),
    paper,
    traces: await sequenceTraces(runs, frames),
    correlations: await sequenceCorrelations(runs),
    curves: await Promise.all(runs.filter(({ model }) => FAMILIES[model]?.role === "model").map(curveOf)),
  };
}

function modelsOf({ runs, frames, oracle }: SequenceExperimentOptions): ModelResults[] {
  const models: ModelResults[] = [];
  const add = (
    name: Pick<ModelResults, "family" | "n" | "role">,
    own: readonly { readonly fold: number; readonly seed: number | null; readonly steps: readonly Said[] }[],
  ) => {
    if (own.length === 0) return;
    const scored = own.map(({ fold, seed, steps }) => {
      const scores = scoresOf(steps);
      return { fold, seed, frames: scores.valence.frames, scores };
    });
    models.push({ ...name, runs: scored, pooled: scoresOf(own.flatMap(({ steps }) => steps)) });
  };
  add(
    { family: "ANCLaF", n: null, role: "model" },
    frames.map(({ fold, steps }) => ({ fold, seed: null, steps })),
  );
  const lengths = [...new Set(runs.map(({ n }) => n))].sort((a, b) => a - b);
  for (const [model, { family, role }] of Object.entries(FAMILIES))
    for (const n of lengths)
      add(
        { family, n, role },
        runs.filter((run) => run.model === model && run.n === n),
      );
  const one = runs.filter((run, i) => runs.findIndex(({ fold }) => fold === run.fold) === i);
  const instead = (said: (run: SequenceRun, face: Said) => Record<"valence" | "arousal", number>) =>
    one.map((run) => ({
      fold: run.fold,
      seed: null,
      steps: run.steps.map((step) => {
        const { valence, arousal } = said(run, step);
        return { ...step, predictedValence: valence, predictedArousal: arousal };
      }),
    }));
  add(
    { family: "Training mean", n: null, role: "baseline" },
    instead(({ trainMean }) => trainMean),
  );
  if (oracle)
    for (const n of [1, ...lengths]) {
      const best = oracle(n);
      add(
        { family: "Best possible", n, role: "oracle" },
        instead((_, face) => best(face)),
      );
    }
  return models;
}

/** Models that scored other frames cannot be compared. */
function differingFrames(runs: readonly SequenceRun[]): string[] {
  const folds = [...new Set(runs.map(({ fold }) => fold))];
  return folds.flatMap((fold) => {
    const counts = new Set(runs.filter((run) => run.fold === fold).map(({ steps }) => steps.length));
    return counts.size > 1
      ? [`In fold ${fold} models were tested on different frames: ${[...counts].join(", ")}.`]
      : [];
  });
}

function factsOf(runs: readonly SequenceRun[]): Experiment["facts"] {
  const list = (values: readonly (string | number)[]) => [...new Set(values)].join(", ");
  return [
    { name: "Data", text: list(runs.map(({ dataset }) => dataset)) },
    { name: "Folds", text: list(runs.map(({ fold, folds }) => `${fold} of ${folds}`)) },
    { name: "Seeds", text: list(runs.map(({ seed }) => seed)) },
    { name: "Trained on", text: list(runs.map(({ result }) => `${result.facts.input} (${result.facts.preset})`)) },
    { name: "Iterations", text: list(runs.map(({ result }) => Number(result.facts.iterations))) },
    { name: "Commands", text: "pipe run train-seq; pipe run evaluate-seq" },
  ];
}

/** The lines of log.jsonl: losses as means since the line before, and validations. */
async function curveOf(run: SequenceRun): Promise<TrainingCurve> {
  const text = await readFile(join(run.folder, "log.jsonl"), "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  const points = (value: (line: Line) => number | undefined): CurvePoint[] =>
    lines.flatMap((line) => {
      const found = value(line);
      return line.iteration === undefined || found === undefined ? [] : [{ iteration: line.iteration, value: found }];
    });
  return {
    family: FAMILIES[run.model]!.family,
    n: run.n,
    fold: run.fold,
    seed: run.seed,
    lossName: "total",
    validationName: "COR + CCC + ICC",
    loss: points(({ losses = {} }) => losses[Object.keys(losses).find((key) => key.endsWith("total")) ?? ""]),
    validation: points(({ validation }) => validation?.score),
    best: run.best,
  };
}

interface Line {
  readonly iteration?: number;
  readonly losses?: Readonly<Record<string, number>>;
  readonly validation?: Readonly<Record<string, number>>;
}
