import { relativeWeights } from "../attention.ts";
import { type AttentionWindow, type Experiment, nameOf } from "../experiment.ts";
import { HEAT } from "../palette.ts";
import { plainText } from "../svg.ts";
import type { Figure } from "./figure.ts";
import { weightScale } from "./weight-scale.ts";

/** Mean attention of the clips that are drawn, step by step: the whole lower triangle, a plot for each model of n > 2. */
export function triangleFigure({ traces }: Experiment): Figure | undefined {
  const models = new Map<string, { readonly n: number; readonly clips: Map<string, readonly AttentionWindow[]> }>();
  for (const { clip, attention } of traces)
    for (const model of attention) {
      const n = Math.max(0, ...model.windows.map(({ at }) => at.length));
      // With two steps there is one state, whose weight is 1.
      if (n < 3) continue;
      const known = models.get(nameOf(model)) ?? { n, clips: new Map() };
      models.set(nameOf(model), known);
      known.clips.set(clip, model.windows);
    }
  if (models.size === 0) return undefined;
  const inOrder = [...models].sort(([, a], [, b]) => a.n - b.n);
  const plots = inOrder.map(([name, { n, clips }]) => ({
    name: plainText(name),
    n,
    cells: meanTriangle([...clips.values()].flat(), n),
  }));
  const opacity = weightScale(plots.flatMap(({ cells }) => cells.map(({ weight }) => weight)));
  return {
    id: "attention-steps",
    title: "Attention, step by step",
    caption:
      "Mean over all windows of the clips drawn above: how much step t (down) attends to the state of step i (across), as a " +
      "multiple of a uniform weight over the states that t has (1 is no preference). Steps count from 1.",
    panels: [
      {
        id: "",
        spec: {
          columns: 3,
          spacing: 24,
          concat: plots.map(({ name, n, cells }) => ({
            title: name,
            width: 140,
            height: 140,
            data: { values: cells },
            mark: { type: "rect" as const, color: HEAT },
            encoding: { x: axisOf("i", "state i", 1, n - 1), y: axisOf("t", "step t", 2, n), opacity },
          })),
        },
      },
    ],
  };
}

function axisOf(field: "i" | "t", title: string, from: number, to: number) {
  const domain = Array.from({ length: to - from + 1 }, (_, k) => from + k);
  const every = Math.ceil(domain.length / 7);
  return {
    field,
    type: "ordinal" as const,
    title,
    scale: { domain, padding: 0 },
    axis: { values: domain.filter((_, k) => k % every === 0), labelAngle: 0, ticks: false },
  };
}

interface TriangleCell {
  readonly i: number;
  readonly t: number;
  readonly weight: number;
}

function meanTriangle(windows: readonly AttentionWindow[], n: number): TriangleCell[] {
  const sums = new Float64Array(n * n);
  const counts = new Float64Array(n * n);
  for (const window of windows)
    relativeWeights(window).forEach((row, t) => {
      row.forEach((weight, i) => {
        if (!Number.isFinite(weight)) return;
        sums[t * n + i]! += weight;
        counts[t * n + i]! += 1;
      });
    });
  return Array.from(counts.keys())
    .filter((at) => counts[at]! > 0)
    .map((at) => ({ i: (at % n) + 1, t: Math.floor(at / n) + 1, weight: sums[at]! / counts[at]! }));
}
