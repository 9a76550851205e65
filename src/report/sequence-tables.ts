import type { AffectScores, Metric } from "../nn/metrics.ts";
import type { Experiment, Gain, ModelResults, PaperResults, ScoresBySeen } from "./experiment.ts";
import { gainTable, resultTable, runTable, seenTable } from "./experiment-tables.ts";
import { type ScoresBySeenOptions, scoresBySeen } from "./frames-seen.ts";
import { gainsOf } from "./gains.ts";
import { FAMILIES } from "./sequence-families.ts";
import { type frameRuns, type Said, type SequenceRun, scoresOf } from "./sequence-runs.ts";
import type { ReportTable } from "./table.ts";

export interface SequenceTablesOptions extends ScoresBySeenOptions {
  /** The frame models of the same folds; none where they are not to be had. */
  readonly frames: Awaited<ReturnType<typeof frameRuns>>;
  readonly paper: readonly PaperResults[];
  readonly metrics: readonly Metric[];
  /** The data was drawn, under whatever name it was trained on. */
  readonly drawn: boolean;
  /** What the best possible predictor from windows of n frames says of test faces, where the data was drawn. */
  readonly oracle: ((n: number) => (face: Said) => Record<"valence" | "arousal", number>) | null;
}

export interface SequenceTables {
  /** In the papers' form: over all folds and seeds, mean ± deviation and pooled, with means over n. */
  readonly results: ReportTable;
  /** What some models are better than others by. */
  readonly gain: ReportTable;
  /** After how many frames of its window a face was judged, and how well. */
  readonly seen: ReportTable;
  /** One by one. */
  readonly runs: ReportTable;
  /** What `gain` was made of. */
  readonly gains: readonly Gain[];
  /** What `seen` was made of. */
  readonly bySeen: ScoresBySeen;
}

/** The papers' tables of sequence models, and what may be concluded from them. */
export function sequenceTables(options: SequenceTablesOptions): SequenceTables {
  const { runs, frames, paper, metrics, drawn } = options;
  const [first] = runs as [SequenceRun];
  const folds = [...new Set(runs.map(({ fold }) => fold))];
  const missing = first.folds - folds.length;
  const models = modelsOf(options);
  const gains = sequenceGains(models);
  const bySeen = scoresBySeen(options);
  const experiment: Experiment = {
    title: `ANCLaF, S and SA on ${drawn ? "drawn faces" : first.dataset}`,
    dataset: first.dataset,
    synthetic: drawn ? "People and clips were drawn from seeds." : null,
    range: first.range.valence,
    metrics,
    facts: [],
    notes: [],
    models,
    paper,
    gains,
    bySeen,
    traces: [],
    correlations: [],
    curves: [],
  };
  const notes = [
    "Labels in native units. Nobody in a fold's test set was trained on, or looked at to choose the checkpoint.",
    ...(missing > 0 ? [`${missing} of ${first.folds} folds are not finished.`] : []),
    ...(frames.length < folds.length
      ? [`The frame model has a finished training for ${frames.length} of ${folds.length} folds.`]
      : []),
    ...differingFrames(runs),
    ...missingRuns(runs),
  ];
  const results = resultTable(experiment);
  return {
    results: { ...results, notes: [...results.notes, ...notes] },
    gain: gainTable(experiment),
    seen: seenTable(experiment),
    runs: runTable(experiment),
    gains,
    bySeen,
  };
}

/** What was asked, as differences of one n: does memory help, does attention, and is it attention that helps? */
export function sequenceGains(models: readonly ModelResults[]): Gain[] {
  const family = (model: string) => FAMILIES[model]?.family ?? FRAME_MODEL;
  return gainsOf(
    models,
    COMPARISONS.map(([model, against]) => [family(model), family(against)]),
  );
}

const FRAME_MODEL = "ANCLaF";

const COMPARISONS: readonly (readonly [model: string, against: string])[] = [
  ["anclaf-s", FRAME_MODEL],
  ["anclaf-s", "frame"],
  ["anclaf-s", "shuffled"],
  ["anclaf-sa", "anclaf-s"],
  ["anclaf-sa", "longer"],
  ["anclaf-sa", "uniform"],
  ["anclaf-sa", "shuffled"],
];

/** Ours, and what stands beside them: the frame model, controls, the training mean, the best possible. */
export function modelsOf({ runs, frames, oracle }: SequenceTablesOptions): ModelResults[] {
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
    models.push({ ...name, runs: scored, pooled: pooledOf(own) });
  };
  add(
    { family: FRAME_MODEL, n: null, role: "model" },
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

/**
 * The faces of all folds as one set, as often as every fold was trained: the first training of each fold, by seed, then the
 * second. Never two trainings of one fold together, which would count each face twice.
 */
function pooledOf(
  runs: readonly { readonly fold: number; readonly seed: number | null; readonly steps: readonly Said[] }[],
): AffectScores[] {
  const folds = [...new Set(runs.map(({ fold }) => fold))].map((fold) =>
    runs.filter((run) => run.fold === fold).sort((a, b) => (a.seed ?? 0) - (b.seed ?? 0)),
  );
  const times = Math.min(...folds.map(({ length }) => length));
  return Array.from({ length: times }, (_, k) => scoresOf(folds.flatMap((fold) => fold[k]!.steps)));
}

/** Where folds were trained with several seeds, and some models with fewer of them. */
export function missingRuns(runs: readonly SequenceRun[]): string[] {
  const pairs = (of: readonly SequenceRun[]) => new Set(of.map(({ fold, seed }) => `${fold}/${seed}`)).size;
  const names = new Set(runs.map(({ model, n }) => `${model}-${n}`));
  const uneven = [...names].some(
    (name) => pairs(runs.filter(({ model, n }) => `${model}-${n}` === name)) < pairs(runs),
  );
  const several = new Set(runs.map(({ seed }) => seed)).size > 1;
  return several && uneven
    ? [
        "Not every model was trained on every fold with every seed: its row is over what there is, gains are over pairs alone.",
      ]
    : [];
}

/** Models that scored other frames cannot be compared. */
export function differingFrames(runs: readonly SequenceRun[]): string[] {
  const folds = [...new Set(runs.map(({ fold }) => fold))];
  return folds.flatMap((fold) => {
    const counts = new Set(runs.filter((run) => run.fold === fold).map(({ steps }) => steps.length));
    return counts.size > 1
      ? [`In fold ${fold} models were tested on different frames: ${[...counts].join(", ")}.`]
      : [];
  });
}
