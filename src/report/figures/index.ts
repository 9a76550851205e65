import type { Experiment } from "../experiment.ts";
import { paletteOf } from "../palette.ts";
import { correlationFigure } from "./correlations.ts";
import { curveFigures } from "./curves.ts";
import type { Figure } from "./figure.ts";
import { metricByLength } from "./metric-by-length.ts";
import { scoreBySeen } from "./score-by-seen.ts";
import { traceFigures } from "./traces.ts";
import { triangleFigure } from "./triangles.ts";

/** The figures of an experiment by the page's sections; what there is no data for is left out. */
export function figuresOf(experiment: Experiment): Readonly<Record<Section, readonly Figure[]>> {
  const palette = paletteOf(experiment);
  const some = (figure: Figure | undefined) => (figure ? [figure] : []);
  return {
    scores: some(metricByLength(experiment, palette)),
    seen: some(scoreBySeen(experiment, palette)),
    traces: traceFigures(experiment, palette),
    attention: [...some(triangleFigure(experiment)), ...some(correlationFigure(experiment, palette))],
    training: curveFigures(experiment, palette),
  };
}

export type Section = "scores" | "seen" | "traces" | "attention" | "training";
