import { type CorrelationRow, type Experiment, type Interval, nameOf } from "../experiment.ts";
import { type Palette, SOFT } from "../palette.ts";
import { plainText } from "../svg.ts";
import type { Figure, Panel } from "./figure.ts";

/** Whether attention goes to what moves: correlations and gains with their intervals; undefined where none were taken. */
export function correlationFigure({ correlations }: Experiment, palette: Palette): Figure | undefined {
  // Windows of two steps leave attention no choice, and nothing to draw.
  if (correlations.every(({ result }) => result.correlation.mean === null && result.gain.mean === null))
    return undefined;
  return {
    id: "attention-and-movement",
    title: "Does attention go to what moves?",
    caption:
      "First: Pearson's correlation of each step's weights with the speeds of the frames attended to, mean over steps; grey, the " +
      "same weights shuffled within their step. Second: the speed that attention sees over the plain mean; uniform weights give 1. " +
      "Bars hold 95 % of the means of clips drawn again with replacement.",
    panels: [
      panel(correlations, palette, {
        id: "correlation",
        title: "correlation",
        zero: 0,
        value: ({ correlation }) => correlation,
        control: ({ shuffled }) => shuffled,
      }),
      panel(correlations, palette, {
        id: "gain",
        title: "speed seen ÷ plain mean",
        zero: 1,
        value: ({ gain }) => gain,
      }),
    ],
  };
}

interface Measure {
  readonly id: string;
  readonly title: string;
  /** What no preference gives. */
  readonly zero: number;
  readonly value: (result: CorrelationRow["result"]) => Interval;
  readonly control?: (result: CorrelationRow["result"]) => Interval;
}

function panel(rows: readonly CorrelationRow[], palette: Palette, { id, title, zero, value, control }: Measure): Panel {
  const quantities = [...new Set(rows.map(({ quantity }) => quantity))];
  const marks = rows.map((row) => ({
    quantity: plainText(row.quantity),
    model: plainText(nameOf(row)),
    colour: palette.of(row).colour,
    ...value(row.result),
  }));
  const controls = control
    ? rows.map((row) => ({
        quantity: plainText(row.quantity),
        model: plainText(nameOf(row)),
        colour: SOFT,
        ...control(row.result),
      }))
    : [];
  const models = [...new Set(marks.flatMap(({ model, mean }) => (mean === null ? [] : [model])))];
  const x = { field: "mean", type: "quantitative" as const, title, scale: { zero: false }, axis: { tickCount: 5 } };
  const y = {
    field: "model",
    type: "nominal" as const,
    title: null,
    scale: { domain: models },
    axis: { ticks: false, domain: false, grid: true },
  };
  const color = { field: "colour", type: "nominal" as const, scale: null, legend: null };
  const layer = (
    values: readonly { readonly low: number | null; readonly mean: number | null }[],
    dy: number,
    size: number,
  ) => [
    {
      data: { values: values.filter(({ low }) => low !== null) },
      mark: { type: "rule" as const, strokeWidth: 2, yOffset: dy },
      encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, color },
    },
    {
      data: { values: values.filter(({ mean }) => mean !== null) },
      mark: { type: "point" as const, filled: true, size, opacity: 1, yOffset: dy },
      encoding: { x, y, color },
    },
  ];
  return {
    id,
    spec: {
      spacing: 14,
      vconcat: quantities.map((quantity) => {
        const own = ({ quantity: of }: { readonly quantity: string }) => of === plainText(quantity);
        return {
          title: plainText(quantity),
          width: 230,
          height: Math.max(24, 22 * models.length),
          layer: [
            {
              data: { values: [{ zero }] },
              mark: { type: "rule" as const, color: SOFT, strokeDash: [4, 3] },
              encoding: { x: { ...x, field: "zero" } },
            },
            ...layer(controls.filter(own), 4, 22),
            ...layer(marks.filter(own), control ? -3 : 0, 50),
          ],
        };
      }),
      resolve: { scale: { x: "shared" } },
    },
  };
}
