import { type Experiment, nameOf, type TrainingCurve } from "../experiment.ts";
import type { Palette } from "../palette.ts";
import { plainText } from "../svg.ts";
import { capital, type Figure, orGap } from "./figure.ts";

/** Loss and validation against the iteration, a small plot for each model and a line for each run. */
export function curveFigures({ curves }: Experiment, palette: Palette): Figure[] {
  const losses = [...new Set(curves.map(({ lossName }) => lossName))];
  const validations = [...new Set(curves.map(({ validationName }) => validationName))];
  return [
    ...losses.flatMap((name, i) =>
      figure(
        palette,
        curves.filter(({ lossName, loss }) => lossName === name && loss.length > 0),
        {
          id: `training-loss${i === 0 ? "" : `-${i + 1}`}`,
          title: "Training loss",
          points: ({ loss }) => loss,
          caption: `${capital(plainText(name))}, on training batches (mean since the point before); a line for each run.`,
          dots: false,
        },
      ),
    ),
    ...validations.flatMap((name, i) =>
      figure(
        palette,
        curves.filter(({ validationName, validation }) => validationName === name && validation.length > 0),
        {
          id: `validation${i === 0 ? "" : `-${i + 1}`}`,
          title: "Validation",
          points: ({ validation }) => validation,
          caption: `${capital(plainText(name))}, of validation people, who are neither trained on nor tested on; a line for each run. Dots: the checkpoints that were tested.`,
          dots: true,
        },
      ),
    ),
  ];
}

interface Kind {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  /** Whether the checkpoints that were tested are marked. */
  readonly dots: boolean;
  readonly points: (curve: TrainingCurve) => TrainingCurve["loss"];
}

function figure(
  palette: Palette,
  curves: readonly TrainingCurve[],
  { id, title, caption, dots, points }: Kind,
): Figure[] {
  if (curves.length === 0) return [];
  const values = curves.flatMap((curve) =>
    points(curve).map(({ iteration, value }) => ({
      model: plainText(nameOf(curve)),
      run: `${curve.fold}/${curve.seed}`,
      colour: palette.of(curve).colour,
      iteration,
      value: orGap(value),
      best: dots && iteration === curve.best,
    })),
  );
  const models = [...new Set(values.map(({ model }) => model))];
  const x = {
    field: "iteration",
    type: "quantitative" as const,
    title: "iteration",
    axis: { tickCount: 4, format: "~s" },
  };
  const y = {
    field: "value",
    type: "quantitative" as const,
    title: null,
    scale: { zero: false },
    axis: { tickCount: 4 },
  };
  const color = { field: "colour", type: "nominal" as const, scale: null, legend: null };
  return [
    {
      id,
      title,
      caption,
      panels: [
        {
          id: "",
          spec: {
            data: { values },
            columns: 3,
            facet: { field: "model", type: "nominal", title: null, sort: models },
            spec: {
              width: 150,
              height: 90,
              layer: [
                {
                  mark: { type: "line", strokeWidth: 1.3, invalid: "break-paths-show-domains" },
                  encoding: { x, y, color, detail: { field: "run", type: "nominal" } },
                },
                {
                  transform: [{ filter: "datum.best" }],
                  mark: { type: "point", filled: true, size: 30, opacity: 1 },
                  encoding: { x, y, color },
                },
              ],
            },
          },
        },
      ],
    },
  ];
}
