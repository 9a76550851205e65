import { type Experiment, type ModelBySeen, nameOf } from "../experiment.ts";
import { type Colour, INK, type Palette, SOFT } from "../palette.ts";
import { plainText } from "../svg.ts";
import type { Figure } from "./figure.ts";

/**
 * CCC against the frames of a window that a model had seen: models of the longest windows, and of those of 8 frames, which the
 * papers look at most. Undefined where no model has a score.
 */
export function scoreBySeen({ bySeen }: Experiment, palette: Palette): Figure | undefined {
  const { interval, planted, models } = bySeen;
  const lines = models
    .filter((model) => isShown(model, models))
    .filter(({ points }) => points.some(({ ccc }) => ccc !== null))
    .map((model) => lineOf(model, palette));
  if (!lines.some(({ role }) => role === "model")) return undefined;
  const drawn = lines.flatMap(({ points }) => points);
  const longest = Math.max(...drawn.map(({ seen }) => seen));
  const mark = planted === null || interval === null ? null : { x: planted / interval, text: `planted: ${planted} ms` };
  const shownMark = mark !== null && mark.x <= longest ? mark : null;
  return {
    id: "score-by-frames-seen",
    title: "Score by frames seen",
    caption: [
      "CCC, mean of valence and arousal, of the faces that a model judged after so many frames of their window, the judged one",
      "included.",
      ...(drawn.some(({ low }) => low !== null) ? ["Bands: one standard deviation between folds and seeds."] : []),
      ...(lines.some(({ role }) => role === "oracle")
        ? ["Dashed: the best that can be said of these drawn faces from so many frames."]
        : []),
      ...(shownMark
        ? [
            `Upright line: ${planted} ms, over which what hides affect in a single one of these drawn frames was made to ` +
              "average out; longer windows tell little more.",
          ]
        : []),
    ].join(" "),
    panels: [{ id: "", spec: specOf(lines, { longest, interval, mark: shownMark }) }],
  };
}

const LOOKED_AT = 8;

function isShown({ family, n, role }: ModelBySeen, models: readonly ModelBySeen[]): boolean {
  if (role === "oracle") return true;
  const longest = Math.max(...models.flatMap((model) => (model.family === family ? [model.n ?? 0] : [])));
  return role === "model" && (n === LOOKED_AT || n === longest);
}

interface Line {
  readonly role: ModelBySeen["role"];
  readonly label: string;
  readonly colour: Colour;
  readonly dash: readonly number[];
  readonly points: readonly Point[];
}

interface Point {
  readonly label: string;
  readonly seen: number;
  /** Null: a gap in the line. */
  readonly ccc: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

function lineOf(model: ModelBySeen, palette: Palette): Line {
  const { role, family } = model;
  const label = plainText(nameOf(model));
  const look = role === "oracle" ? { colour: palette.family(family).colour, dash: BEST } : palette.of(model);
  const points = model.points.map(({ seen, ccc }): Point => {
    const sd = role === "oracle" ? null : (ccc?.sd ?? null);
    const [low, high] = ccc === null || sd === null ? [null, null] : [ccc.mean - sd, ccc.mean + sd];
    return { label, seen, ccc: ccc?.mean ?? null, low, high };
  });
  return { role, label, ...look, points };
}

const BEST = [4, 3];

interface Ground {
  readonly longest: number;
  readonly interval: number | null;
  readonly mark: { readonly x: number; readonly text: string } | null;
}

function specOf(lines: readonly Line[], { longest, interval, mark }: Ground): Figure["panels"][number]["spec"] {
  const points = lines.flatMap((line) => line.points);
  const by = { field: "label", type: "nominal" as const, title: null };
  const legend = { orient: "bottom" as const, columns: 3, symbolType: "stroke" as const, symbolOpacity: 1 };
  const domain = lines.map(({ label }) => label);
  const color = { ...by, legend, scale: { domain, range: lines.map(({ colour }) => colour) } };
  const strokeDash = { ...by, legend, scale: { domain, range: lines.map(({ dash }) => [...dash]) } };
  const x = {
    field: "seen",
    type: "quantitative" as const,
    title: "frames seen",
    scale: { domain: [0.5, longest + 0.5], nice: false },
    axis: {
      values: ticksOf(longest),
      grid: false,
      labelExpr: interval === null ? "datum.label" : `[datum.label, format(datum.value * ${interval}, ".0f") + " ms"]`,
    },
  };
  const y = { field: "ccc", type: "quantitative" as const, title: "CCC", scale: { zero: false } };
  const ofMark = { data: { values: mark === null ? [] : [mark] } };
  const invalid = "break-paths-show-domains" as const;
  const at = { field: "x", type: "quantitative" as const };
  return {
    width: 560,
    height: 260,
    layer: [
      {
        data: { values: points },
        mark: { type: "area", opacity: 0.14, invalid },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
      },
      { ...ofMark, mark: { type: "rule", color: SOFT, strokeDash: [1.5, 2.5] }, encoding: { x: { ...x, ...at } } },
      {
        ...ofMark,
        mark: { type: "text", color: INK, align: "left", baseline: "bottom", dx: 4, y: "height", dy: -4 },
        encoding: { x: { ...x, ...at }, text: { field: "text" } },
      },
      {
        data: { values: points },
        mark: { type: "line", strokeWidth: 2, invalid },
        encoding: { x, y, color, strokeDash },
      },
      {
        data: { values: points },
        mark: { type: "point", filled: true, size: 16, opacity: 1 },
        encoding: { x, y, color },
      },
    ],
  };
}

/** 1, and at most eight more at equal steps of 1, 2, 4, … */
function ticksOf(longest: number): number[] {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(longest / 8)));
  const even = Array.from({ length: Math.floor(longest / step) }, (_, i) => (i + 1) * step);
  return [...new Set([1, ...even])];
}
