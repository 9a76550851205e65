import type { AffectScores, Metric } from "../../nn/metrics.ts";
import { lastStepWeights } from "../attention.ts";
import {
  type Experiment,
  type ModelName,
  nameOf,
  type Trace,
  type TraceAttention,
  type TraceSeries,
} from "../experiment.ts";
import { HEAT, INK, type Palette, SOFT } from "../palette.ts";
import { scoreOf } from "../summary.ts";
import { plainText } from "../svg.ts";
import { capital, type Figure, orGap, type Panel } from "./figure.ts";
import { weightScale } from "./weight-scale.ts";

type Two = "valence" | "arousal";

/** Each trace's overview, and its zooms: the papers' Figures 2 to 4. */
export function traceFigures(experiment: Experiment, palette: Palette): Figure[] {
  return experiment.traces.flatMap((trace, i) => [
    overview(experiment, trace, palette, i + 1),
    ...trace.zooms.map((zoom, k) => zoomed(experiment, trace, zoom, palette, `${i + 1}`, k)),
  ]);
}

const TRUTH = "Label";

function overview({ metrics, range }: Experiment, trace: Trace, palette: Palette, number: number): Figure {
  const { zooms, series } = trace;
  return {
    id: `trace-${number}`,
    title: trace.title,
    caption: [
      `All ${trace.frames.length} frames of ${whereOf(trace)}: the labels and ${series.map(nameOf).join(", ") || "no model"}.`,
      ...(series.some(({ scores }) => scores !== null) ? ["Scores in the legend are of this clip alone."] : []),
      ...(zooms.length > 0 ? ["Shaded: drawn larger below."] : []),
    ].join(" "),
    panels: (["valence", "arousal"] as const).map((dimension): Panel => {
      const lines = linesOf(trace, dimension, 0, trace.frames.length);
      const legend = legendOf(series, dimension, metrics, palette);
      const shades = zooms.map(({ from, to }) => ({ from: secondsOf(trace, from), to: secondsOf(trace, to - 1) }));
      return {
        id: dimension,
        spec: {
          width: 460,
          height: 190,
          layer: [
            {
              data: { values: shades },
              mark: { type: "rect", color: SOFT, opacity: 0.16 },
              encoding: { x: { field: "from", type: "quantitative" }, x2: { field: "to" } },
            },
            lineLayer(lines, legend, {
              x: {
                title: "seconds",
                scale: { nice: false, zero: false },
                axis: { labelOverlap: true, labelSeparation: 8 },
              },
              y: { title: capital(dimension), scale: { zero: false, domain: domainOf(lines, range) } },
            }),
          ],
        },
      };
    }),
  };
}

function zoomed(
  { range }: Experiment,
  trace: Trace,
  { from, to }: { readonly from: number; readonly to: number },
  palette: Palette,
  number: string,
  k: number,
): Figure {
  const half = halfFrame(trace, from, to);
  const ends: [number, number] = [secondsOf(trace, from) - half, secondsOf(trace, to - 1) + half];
  const scale = { domain: ends, nice: false, zero: false };
  const legend = legendOf(trace.series, "valence", [], palette);
  const graph = (dimension: Two) => {
    const lines = linesOf(trace, dimension, from, to);
    return {
      width: WIDTH,
      height: 110,
      layer: [
        lineLayer(lines, legend, {
          x: { title: null, scale, axis: { labels: false, ticks: false } },
          y: {
            title: capital(dimension),
            scale: { zero: false, domain: domainOf(lines, range) },
            axis: { tickCount: 4 },
          },
          dots: to - from <= 64,
        }),
      ],
    };
  };
  const faces = facesOf(trace, from, to, ends);
  const cells = trace.attention.flatMap((attention) => cellsOf(trace, attention, from, to, half));
  const time = { scale, title: "seconds", axis: { grid: false, tickCount: 8, labelOverlap: true, labelSeparation: 8 } };
  const rows = [
    ...(faces.length > 0 ? [faceRow(faces, scale)] : []),
    cells.length > 0 ? strips(trace.attention, cells, time) : timeAxis(time),
  ];
  return {
    id: `trace-${number}-zoom-${k + 1}`,
    title: `${trace.title}: frames ${trace.frames[from]} to ${trace.frames[to - 1]}`,
    caption: [
      `A piece of ${whereOf(trace)}.`,
      ...(faces.length > 0 ? ["Faces stand above their time."] : []),
      ...(cells.length > 0
        ? [
            "Strips: the attention weights that the last frame of each window gave the frames before it, as multiples of a " +
              "uniform weight (1 is no preference); the last frame itself has none. Upright lines part the windows.",
          ]
        : []),
    ].join(" "),
    panels: [{ id: "", spec: { spacing: 8, bounds: "flush", vconcat: [graph("valence"), graph("arousal"), ...rows] } }],
  };
}

/** Of the plots of a zoom, without what stands beside them. */
const WIDTH = 560;
const FACE = 40;
const STRIP = 18;

interface LinePoint {
  readonly t: number;
  readonly y: number | null;
  readonly who: string;
}

function linesOf(trace: Trace, dimension: Two, from: number, to: number): LinePoint[] {
  const points = (who: string, values: ArrayLike<number>) =>
    Array.from({ length: to - from }, (_, i) => ({
      t: secondsOf(trace, from + i),
      y: orGap(values[from + i]),
      who,
    }));
  return [
    ...points(TRUTH, trace.truth[dimension]),
    ...trace.series.flatMap((one) => points(plainText(nameOf(one)), one.predicted[dimension])),
  ];
}

interface Legend {
  readonly title: string | null;
  readonly names: readonly string[];
  readonly labels: readonly string[];
  readonly colours: readonly string[];
  readonly dashes: readonly (readonly number[])[];
}

/** Names, with their scores of this clip where metrics are asked for. A family's n's have dashes if there are several. */
function legendOf(
  series: readonly TraceSeries[],
  dimension: Two,
  metrics: readonly Metric[],
  palette: Palette,
): Legend {
  const looks = series.map((one) => {
    const { colour, dash } = palette.of(one);
    return { colour, dash: series.some(({ family, n }) => family === one.family && n !== one.n) ? dash : [] };
  });
  const scored = metrics.length > 0 && series.some(({ scores }) => scores !== null);
  const label = (one: TraceSeries) => {
    const name = plainText(nameOf(one));
    return scored && one.scores !== null ? `${name}:  ${scoresInWords(one.scores, dimension, metrics)}` : name;
  };
  return {
    title: scored ? metrics.map((metric) => metric.toUpperCase()).join(" · ") : null,
    names: [TRUTH, ...series.map((one) => plainText(nameOf(one)))],
    labels: [TRUTH, ...series.map(label)],
    colours: [INK, ...looks.map(({ colour }) => colour)],
    dashes: [[], ...looks.map(({ dash }) => dash)],
  };
}

function scoresInWords(scores: AffectScores, dimension: Two, metrics: readonly Metric[]): string {
  const figure = (value: number) => value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
  const shown = metrics.map((metric) => scoreOf(scores, dimension, metric));
  return shown.map((value) => (value === null ? "–" : figure(value))).join(" · ");
}

function lineLayer(
  lines: readonly LinePoint[],
  { title, names, labels, colours, dashes }: Legend,
  { x, y, dots = false }: { readonly x: object; readonly y: object; readonly dots?: boolean },
) {
  const legend = {
    orient: "bottom" as const,
    columns: 2,
    symbolType: "stroke" as const,
    labelExpr: `(${JSON.stringify(labels)})[indexof(${JSON.stringify(names)}, datum.label)]`,
  };
  const by = { field: "who", type: "nominal" as const, title, legend };
  const encoding = {
    x: { field: "t", type: "quantitative" as const, ...x },
    y: { field: "y", type: "quantitative" as const, ...y },
    color: { ...by, scale: { domain: [...names], range: [...colours] } },
  };
  const strokeDash = { ...by, scale: { domain: [...names], range: dashes.map((dash) => [...dash]) } };
  const thickness = { condition: { test: `datum.who === ${JSON.stringify(TRUTH)}`, value: 2.5 }, value: 1.6 };
  return {
    data: { values: [...lines] },
    layer: [
      {
        mark: { type: "line" as const, invalid: "break-paths-show-domains" as const },
        encoding: { ...encoding, strokeDash, strokeWidth: thickness },
      },
      ...(dots
        ? [
            {
              mark: { type: "point" as const, filled: true, size: 14, opacity: 1, invalid: "filter" as const },
              encoding,
            },
          ]
        : []),
    ],
  };
}

/** Labels and predictions with a little room; all of the labels' range where nothing varies. */
function domainOf(lines: readonly LinePoint[], [low, high]: readonly [number, number]): [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { y } of lines) if (y !== null) [least, most] = [Math.min(least, y), Math.max(most, y)];
  if (!(least <= most)) return [low, high];
  const room = Math.max((most - least) * 0.06, (high - low) * 0.01);
  return [least - room, most + room];
}

interface FaceMark {
  readonly t: number;
  readonly image: string;
}

/** As many faces as fit side by side, evenly taken from those that there are. */
function facesOf(trace: Trace, from: number, to: number, [start, end]: readonly [number, number]): FaceMark[] {
  const inside = trace.faces
    .filter(({ at }) => at >= from && at < to)
    .map(({ at, image }) => ({ t: secondsOf(trace, at), image }))
    .sort((a, b) => a.t - b.t);
  const room = ((FACE + 2) / WIDTH) * (end - start);
  const chosen: FaceMark[] = [];
  for (const face of inside) if (chosen.length === 0 || face.t - chosen.at(-1)!.t >= room) chosen.push(face);
  return chosen;
}

function faceRow(faces: readonly FaceMark[], scale: object) {
  return {
    width: WIDTH,
    height: FACE,
    data: { values: [...faces] },
    mark: { type: "image" as const, width: FACE, height: FACE },
    encoding: {
      x: { field: "t", type: "quantitative" as const, scale, axis: null },
      y: { value: FACE / 2 },
      url: { field: "image", type: "nominal" as const },
    },
  };
}

interface Cell {
  readonly model: string;
  readonly from: number;
  readonly to: number;
  /** As a multiple of a uniform one; null for a window's last frame. */
  readonly weight: number | null;
  /** Whether a window begins here. */
  readonly first: boolean;
}

/** Where windows overlap, the earlier one's weight stands. */
function cellsOf(trace: Trace, attention: TraceAttention, from: number, to: number, half: number): Cell[] {
  const taken = new Set<number>();
  const model = plainText(nameOf(attention));
  return attention.windows.flatMap((window) => {
    const weights = lastStepWeights(window);
    const start = window.at.find((position) => position !== -1);
    return window.at.flatMap((position, i): Cell[] => {
      if (position < from || position >= to || taken.has(position)) return [];
      taken.add(position);
      const t = secondsOf(trace, position);
      return [{ model, from: t - half, to: t + half, weight: orGap(weights[i]), first: position === start }];
    });
  });
}

function strips(models: readonly ModelName[], cells: readonly Cell[], time: object) {
  const weighed = cells.filter(({ weight }) => weight !== null);
  const x = { field: "from", type: "quantitative" as const, ...time };
  const domain = models
    .map((model) => plainText(nameOf(model)))
    .filter((name) => cells.some(({ model }) => model === name));
  const y = {
    field: "model",
    type: "nominal" as const,
    title: null,
    scale: { domain, paddingInner: 0.2, paddingOuter: 0 },
    axis: { ticks: false, domain: false },
  };
  const opacity = weightScale(weighed.map(({ weight }) => weight!));
  return {
    width: WIDTH,
    height: STRIP * domain.length,
    layer: [
      {
        data: { values: weighed },
        mark: { type: "rect" as const, color: HEAT },
        encoding: { x, x2: { field: "to" }, y, opacity },
      },
      {
        data: { values: cells.filter(({ first }) => first) },
        mark: { type: "tick" as const, color: INK, thickness: 1.5, orient: "vertical" as const, bandSize: STRIP },
        encoding: { x, y },
      },
    ],
  };
}

/** The seconds alone, below what has no axis. */
function timeAxis(time: object) {
  const encoding = { x: { field: "t", type: "quantitative" as const, ...time } };
  return { width: WIDTH, height: 1, data: { values: [{ t: null }] }, mark: { type: "point" as const }, encoding };
}

function whereOf({ clip, fold }: Trace): string {
  return `clip ${plainText(clip)} (test set of fold ${fold})`;
}

function secondsOf({ pts }: Trace, at: number): number {
  return pts[at]! / 1e6;
}

/** Half the median time between frames, in seconds. */
function halfFrame(trace: Trace, from: number, to: number): number {
  const steps = Array.from(
    { length: Math.max(0, to - from - 1) },
    (_, i) => secondsOf(trace, from + i + 1) - secondsOf(trace, from + i),
  );
  steps.sort((a, b) => a - b);
  return (steps[steps.length >> 1] ?? 0.04) / 2;
}
