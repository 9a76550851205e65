import type { Metric } from "../../nn/metrics.ts";
import type { Experiment, ModelResults } from "../experiment.ts";
import { type Colour, PAPER, type Palette } from "../palette.ts";
import { DIMENSIONS, type Dimension, runsInWords, summaryOf } from "../summary.ts";
import { plainText } from "../svg.ts";
import { capital, type Figure, type Panel } from "./figure.ts";

/** Scores against the window's length n, a panel for each metric; undefined where no model has an n. */
export function metricByLength(experiment: Experiment, palette: Palette): Figure | undefined {
  const { models, metrics, synthetic } = experiment;
  const sequences = models.filter(({ n }) => n !== null);
  if (sequences.length === 0) return undefined;
  const lines = linesOf(experiment, palette);
  const counts = [...new Set(models.map(({ runs }) => runsInWords(runs)))].join(" or ");
  const bars = sequences.some(({ runs }) => runs.length > 1);
  const paper = lines.some(({ kind }) => kind === "paper");
  const level = lines.some(({ kind }) => kind === "level");
  return {
    id: "metric-by-length",
    title: "Each metric, for valence, arousal and their mean",
    caption: [
      `Mean over ${counts}${bars ? "; bars are one standard deviation between runs" : ""}. Models of one n are drawn a little apart.`,
      ...(level ? ["Level lines: models without a window."] : []),
      ...(paper ? [`Grey: the papers' figures${synthetic === null ? "" : ", of other data: real videos"}.`] : []),
    ].join(" "),
    panels: metrics.map((metric) => panel(experiment, lines, metric)),
  };
}

/** What the legend names: a family of ours with n's, one without, or a family's figures in the paper. */
interface Line {
  readonly kind: "ours" | "level" | "paper";
  readonly family: string;
  readonly label: string;
  readonly colour: Colour;
  readonly dash: readonly number[];
}

interface Point {
  readonly label: string;
  readonly dimension: Dimension;
  /** n, or a little beside it. */
  readonly x: number;
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Of the point, where one is drawn; the name that Vega has for it. */
  readonly shape?: string;
}

function linesOf({ models, paper }: Experiment, palette: Palette): Line[] {
  const families = [...new Set(models.map(({ family }) => family))];
  const ours = families.map((family): Line => {
    const kind = models.some((model) => model.family === family && model.n !== null) ? "ours" : "level";
    const { colour } = palette.family(family);
    return { kind, family, label: plainText(family), colour, dash: kind === "ours" ? [] : LEVEL_DASH };
  });
  const printed = ours.filter(
    ({ kind, family }) => kind === "ours" && paper.some((row) => row.family === family && row.n !== null),
  );
  return [
    ...ours,
    ...printed.map(({ family, label }, i): Line => {
      const dash = PAPER_DASHES[i % PAPER_DASHES.length]!;
      return { kind: "paper", family, label: `${label}, paper`, colour: PAPER, dash };
    }),
  ];
}

const LEVEL_DASH = [4, 3];
const PAPER_DASHES = [
  [2, 2],
  [6, 3],
  [10, 3, 2, 3],
];

function panel(experiment: Experiment, lines: readonly Line[], metric: Metric): Panel {
  const { models } = experiment;
  const lengths = [...new Set(models.flatMap(({ n }) => (n === null ? [] : [n])))].sort((a, b) => a - b);
  const points = {
    ours: oursOf(models, lines, metric),
    level: levelsOf(models, lines, metric),
    paper: paperOf(experiment, lines, lengths, metric),
  };
  const by = { field: "label", type: "nominal" as const, title: null };
  const legend = { orient: "bottom" as const, columns: 2, symbolType: "stroke" as const };
  const domain = lines.map(({ label }) => label);
  const color = { ...by, legend, scale: { domain, range: lines.map(({ colour }) => colour) } };
  const shape = { field: "shape", type: "nominal" as const, scale: null, legend: null };
  const strokeDash = { ...by, legend, scale: { domain, range: lines.map(({ dash }) => [...dash]) } };
  const plot = (dimension: Dimension, lowest: boolean) => {
    const of = (all: readonly Point[]) => ({ values: all.filter((point) => point.dimension === dimension) });
    const x = {
      field: "x",
      type: "quantitative" as const,
      title: lowest ? "n, frames in a window" : null,
      scale: { type: "log" as const, base: 2, domain: [lengths[0]! / 1.25, lengths.at(-1)! * 1.25], nice: false },
      axis: { values: lengths, labels: lowest, format: "d" },
    };
    const y = {
      field: "mean",
      type: "quantitative" as const,
      title: capital(dimension),
      scale: { zero: false },
      axis: { tickCount: 5, format: "~g" },
    };
    const line = (strokeWidth: number) => ({ type: "line" as const, strokeWidth });
    const dot = (size: number) => ({ type: "point" as const, filled: true, size, opacity: 1 });
    const bar = { type: "rule" as const, strokeWidth: 1.5 };
    const bars = of(points.ours.filter(({ low }) => low !== null));
    return {
      width: 265,
      height: 120,
      layer: [
        { data: of(points.level), mark: bar, encoding: { y, color, strokeDash } },
        { data: of(points.paper), mark: line(1.5), encoding: { x, y, color, strokeDash } },
        { data: of(points.paper), mark: dot(18), encoding: { x, y, color } },
        { data: bars, mark: bar, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } },
        { data: of(points.ours), mark: line(2), encoding: { x, y, color, strokeDash } },
        { data: of(points.ours), mark: dot(45), encoding: { x, y, color, shape } },
      ],
    };
  };
  const vconcat = DIMENSIONS.map((dimension, i) => plot(dimension, i === DIMENSIONS.length - 1));
  return { id: metric, spec: { title: metric.toUpperCase(), spacing: 12, vconcat } };
}

function oursOf(models: readonly ModelResults[], lines: readonly Line[], metric: Metric): Point[] {
  const ours = lines.filter(({ kind }) => kind === "ours");
  const apart = Math.min(0.09, SPREAD / Math.max(1, ours.length - 1));
  return ours.flatMap(({ family, label }, rank) =>
    models
      .filter((model) => model.family === family && model.n !== null)
      .flatMap(({ n, runs }) => {
        const shape = SHAPES[rank % SHAPES.length]!;
        const x = n! * 2 ** ((rank - (ours.length - 1) / 2) * apart);
        return DIMENSIONS.flatMap((dimension): Point[] => {
          const spread = summaryOf(runs, dimension, metric);
          if (spread === null) return [];
          const { mean, sd } = spread;
          const [low, high] = sd === null ? [null, null] : [mean - sd, mean + sd];
          return [{ label, dimension, x, mean, low, high, shape }];
        });
      }),
  );
}

const SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"];

/** How far all models of one n are drawn apart, in octaves of n. */
const SPREAD = 0.3;

function levelsOf(models: readonly ModelResults[], lines: readonly Line[], metric: Metric): Point[] {
  const level = lines.filter(({ kind }) => kind === "level");
  return level.flatMap(({ family, label }) =>
    models
      .filter((model) => model.family === family)
      .flatMap(({ runs }) =>
        DIMENSIONS.flatMap((dimension): Point[] => {
          const spread = summaryOf(runs, dimension, metric);
          return spread === null ? [] : [{ label, dimension, x: 1, mean: spread.mean, low: null, high: null }];
        }),
      ),
  );
}

/** Of the n's that ours have. */
function paperOf({ paper }: Experiment, lines: readonly Line[], lengths: readonly number[], metric: Metric): Point[] {
  const printed = new Map(
    lines.flatMap(({ kind, family, label }) => (kind === "paper" ? [[family, label] as const] : [])),
  );
  return paper.flatMap(({ family, n, figures }) => {
    const label = printed.get(family);
    if (label === undefined || n === null || !lengths.includes(n)) return [];
    return DIMENSIONS.flatMap((dimension): Point[] => {
      const mean = figures[dimension][metric];
      return mean === undefined ? [] : [{ label, dimension, x: n, mean, low: null, high: null }];
    });
  });
}
