import { METRICS, type Metric } from "../nn/metrics.ts";
import { lastStepWeights } from "./attention.ts";
import {
  type CorrelationRow,
  differenceOf,
  type Experiment,
  type Gain,
  type Interval,
  type ModelResults,
  nameOf,
  type PaperResults,
  type RunScores,
  type Trace,
} from "./experiment.ts";
import { isClear } from "./gains.ts";
import {
  DIMENSIONS,
  type Dimension,
  framesOf,
  runsInWords,
  scoreOf,
  severalSeeds,
  summaryOf,
  undefinedNotes,
} from "./summary.ts";
import type { Cell, ReportTable } from "./table.ts";

const SHORT: Record<Dimension, string> = { valence: "VAL", arousal: "ARO", average: "AVG" };

/**
 * Tables 1 and 2 with ours below each of the papers' rows: mean ± deviation over runs, and pooled. Ours that the papers
 * do not have come last; so do families' means over n (the papers' "-AVG" rows) where more than one n was trained.
 */
export function resultTable({ title, metrics, models, paper, synthetic, dataset }: Experiment): ReportTable {
  const ours = new Map(models.map((model) => [nameOf(model), model]));
  const averages = new Map(averagesOf(models, metrics).map((row) => [row.name, row]));
  const rows: (readonly Cell[])[] = [];
  for (const row of paper) {
    const name = nameOf(row);
    rows.push([name, "paper", ...paperCells(row, metrics), null]);
    const [model, average] = [ours.get(name), averages.get(name)];
    if (model) rows.push(...modelRows(model, metrics));
    else if (average) rows.push(average.cells);
    ours.delete(name);
    averages.delete(name);
  }
  for (const model of ours.values()) rows.push(...modelRows(model, metrics));
  rows.push(...[...averages.values()].map(({ cells }) => cells));
  return {
    title,
    columns: ["Model", "From", ...figureColumns(metrics), "Frames"],
    rows,
    notes: [
      "RMSE in the labels' own units. AVG is the mean of valence and arousal.",
      ...(models.some(({ runs }) => runs.length > 1)
        ? ["Mean ± standard deviation of runs (1/(N − 1)). Pooled: all frames of all folds as one set."]
        : []),
      ...(models.some(({ runs }) => severalSeeds(runs))
        ? ["Of several seeds each is pooled by itself: mean ± deviation of these. Frames count once, not once a seed."]
        : []),
      ...(paper.length > 0 ? [paperNote(synthetic, dataset)] : []),
      ...undefinedNotes(models),
    ],
  };
}

/** Every run on its own, all metrics. */
export function runTable({ models }: Experiment): ReportTable {
  return {
    title: "Run by run",
    columns: ["Model", "Fold", "Seed", ...figureColumns(METRICS), "Frames"],
    rows: models.flatMap((model) => model.runs.map((run) => runCells(model, run))),
    notes: [],
  };
}

/** What one model is better than another by, and whether that is more than chance may give. */
export function gainTable({ gains, models }: Experiment): ReportTable {
  const shared = models.filter(
    ({ family, n, runs }) =>
      runs.every(({ seed }) => seed === null) &&
      gains.some(({ against, pairs }) => against.family === family && against.n === n && pairs > runs.length),
  );
  const clear = (gain: Gain) => {
    const known = isClear(gain);
    return known === null ? "one pair: not known" : known ? "yes" : "no";
  };
  return {
    title: "Gain in CCC, training by training",
    columns: ["Difference", "Mean", "Standard error", "Pairs", "Beyond 2 standard errors"],
    rows: gains.map((gain) => [
      differenceOf(gain),
      finite(gain.difference),
      gain.standardError === null ? null : finite(gain.standardError),
      gain.pairs,
      clear(gain),
    ]),
    notes: [
      "CCC is the mean of valence and arousal. A pair is both models on one fold with one seed; the mean is over pairs, its " +
        "standard error their deviation / √pairs. Folds share people to train on and seeds share people to test on, so pairs " +
        "are not independent, and the error is more than this.",
      ...(gains.some(({ standardError }) => standardError === null) ? ["One pair has no standard error."] : []),
      ...shared.map((model) => `${nameOf(model)} has one training a fold, which stands against every seed.`),
      ...gains.flatMap((gain) =>
        gain.uneven === 0
          ? []
          : [
              `${differenceOf(gain)}: ${gain.uneven} of ${gain.pairs} pairs were tested on different numbers of frames.`,
            ],
      ),
    ],
    digits: 4,
  };
}

/** How well models do after each number of frames of a window. */
export function seenTable({ bySeen: { interval, models } }: Experiment): ReportTable {
  const all = models.flatMap(({ points }) => points);
  return {
    title: "CCC by frames seen",
    columns: ["Model", "Frames seen", "Milliseconds", "CCC AVG", "Frames"],
    rows: models.flatMap((model) =>
      model.points.map(({ seen, ccc, frames }): Cell[] => [
        nameOf(model),
        seen,
        interval === null ? null : Math.round(seen * interval),
        ccc && { value: ccc.mean, sd: ccc.sd },
        frames,
      ]),
    ),
    notes: [
      "Frames seen: faces of its window that the model had been shown when it judged a face, this one included; missing ones " +
        "do not count. CCC is the mean of valence and arousal, ± the standard deviation between folds and seeds (1/(N − 1)). " +
        "Frames count once, not once a seed.",
      ...(models.some(({ role }) => role === "oracle")
        ? [
            "Best possible: from so many frames in a row, over all test faces with so many of their clip up to them, wherever a " +
              "window began.",
          ]
        : []),
      ...(all.some(({ ccc, frames }) => ccc === null && frames > 0)
        ? ["Without a figure: predictions or labels are constant there, or it is not finite."]
        : []),
    ],
  };
}

export function correlationTable({ correlations }: Experiment): ReportTable {
  const ends = ({ mean, low, high }: Interval): Cell[] => [mean, low, high];
  const cells = (row: CorrelationRow): Cell[] => {
    const { correlation, shuffled, gain, steps, clips, leftOut } = row.result;
    return [
      ...[...ends(correlation), ...ends(shuffled), ...ends(gain)],
      ...[steps, clips, leftOut.short, leftOut.constantWeights, leftOut.constantSpeed, leftOut.missing],
    ];
  };
  const three = (what: string) => [what, `${what} low`, `${what} high`];
  return {
    title: "Attention and movement, as a table",
    columns: [
      ...["Model", "Movement", ...three("Pearson"), ...three("Shuffled"), ...three("Speed seen ÷ mean")],
      ...["Steps", "Clips", "Left out: short", "constant weights", "constant speed", "missing"],
    ],
    rows: correlations.map((row) => [nameOf(row), row.quantity, ...cells(row)]),
    notes: [
      "Pearson: of each step's weights with the speeds of the frames attended to, mean over steps. Low and high hold 95 % " +
        "of the means of clips drawn again with replacement. Shuffled: the same weights in random order within their step. " +
        "Speed seen ÷ mean: 1 is what uniform weights give.",
    ],
  };
}

/** What a trace draws, frame by frame; attention is that of its window's last step, as a multiple of a uniform weight. */
export function traceTable({ title, clip, frames, pts, truth, series, attention }: Trace): ReportTable {
  const strips = attention.map(({ windows }) => {
    const values: (number | null)[] = Array.from(frames, () => null);
    for (const window of windows)
      lastStepWeights(window).forEach((weight, i) => {
        const position = window.at[i]!;
        if (position >= 0 && values[position] === null) values[position] = finite(weight);
      });
    return values;
  });
  return {
    title: `${title}: ${clip}`,
    columns: [
      ...["frame", "pts", "valence", "arousal"],
      ...series.flatMap((one) => ["valence", "arousal"].map((dimension) => `${nameOf(one)} ${dimension}`)),
      ...attention.map((one) => `${nameOf(one)} attention`),
    ],
    rows: Array.from(frames, (frame, i) => [
      ...[frame, pts[i]!, finite(truth.valence[i]!), finite(truth.arousal[i]!)],
      ...series.flatMap(({ predicted }) => [finite(predicted.valence[i]!), finite(predicted.arousal[i]!)]),
      ...strips.map((values) => values[i]!),
    ]),
    notes: [],
  };
}

export function curveTable({ curves }: Experiment): ReportTable {
  return {
    title: "Training",
    columns: ["Model", "Fold", "Seed", "What", "Iteration", "Value"],
    rows: curves.flatMap((curve) => {
      const points = (what: string, of: typeof curve.loss): Cell[][] =>
        of.map(({ iteration, value }) => [nameOf(curve), curve.fold, curve.seed, what, iteration, finite(value)]);
      return [
        ...points(`loss: ${curve.lossName}`, curve.loss),
        ...points(`validation: ${curve.validationName}`, curve.validation),
      ];
    }),
    notes: [],
  };
}

function figureColumns(metrics: readonly Metric[]): string[] {
  return metrics.flatMap((metric) => DIMENSIONS.map((dimension) => `${metric.toUpperCase()} ${SHORT[dimension]}`));
}

function modelRows(model: ModelResults, metrics: readonly Metric[]): Cell[][] {
  const { runs, pooled } = model;
  const count = runsInWords(runs);
  const cells = each(metrics, (metric, dimension): Cell => {
    const spread = summaryOf(runs, dimension, metric);
    return spread === null ? null : { value: spread.mean, sd: spread.sd };
  });
  const own: Cell[] = [nameOf(model), `ours, ${count}`, ...cells, framesOf(runs)];
  const [one, ...others] = pooled;
  if (one === undefined || new Set(runs.map(({ fold }) => fold)).size === 1) return [own];
  const sets = pooled.map((scores) => ({ scores }));
  const together = each(metrics, (metric, dimension): Cell => {
    if (others.length === 0) return scoreOf(one, dimension, metric);
    const spread = summaryOf(sets, dimension, metric);
    return spread === null ? null : { value: spread.mean, sd: spread.sd };
  });
  const times = others.length === 0 ? "" : `, ${pooled.length} times`;
  return [own, [nameOf(model), `ours, pooled${times}`, ...together, one.valence.frames]];
}

function runCells(model: ModelResults, { fold, seed, frames, scores }: RunScores): Cell[] {
  const cells = each(METRICS, (metric, dimension) => scoreOf(scores, dimension, metric));
  return [nameOf(model), fold, seed, ...cells, frames];
}

function paperCells({ figures }: PaperResults, metrics: readonly Metric[]): Cell[] {
  return each(metrics, (metric, dimension) => figures[dimension][metric] ?? null);
}

/** Means over n of each system's means, where it has more than one n; controls and oracles have other n's. */
function averagesOf(models: readonly ModelResults[], metrics: readonly Metric[]) {
  const families = new Map<string, ModelResults[]>();
  for (const model of models)
    if (model.n !== null && model.role === "model")
      families.set(model.family, [...(families.get(model.family) ?? []), model]);
  return [...families].flatMap(([family, members]) => {
    if (members.length < 2) return [];
    const cells = each(metrics, (metric, dimension) => {
      const means = members.map(({ runs }) => summaryOf(runs, dimension, metric)?.mean);
      return means.every((mean) => mean !== undefined) ? sum(means) / means.length : null;
    });
    const name = `${family}-AVG`;
    return [{ name, cells: [name, `ours, mean over n`, ...cells, null] as Cell[] }];
  });
}

function paperNote(synthetic: string | null, dataset: string): string {
  return synthetic === null
    ? `The papers' rows are one run each on ${dataset}; their folds are not public, and how they were joined is not said.`
    : "The papers' rows are of real videos and other labels: they show the table's shape, not what ours should reach.";
}

function each<T>(metrics: readonly Metric[], cell: (metric: Metric, dimension: Dimension) => T): T[] {
  return metrics.flatMap((metric) => DIMENSIONS.map((dimension) => cell(metric, dimension)));
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
