import { HEAT } from "../palette.ts";

/** How dark a weight is drawn: from nothing at 0 to full at the highest, or at 2 where all are about a uniform one's (1). */
export function weightScale(weights: readonly number[]) {
  const highest = weights.reduce((most, weight) => Math.max(most, weight), 2);
  return {
    field: "weight",
    type: "quantitative" as const,
    scale: { domain: [0, highest], range: [0, 1] },
    legend: {
      title: "weight, × uniform",
      orient: "bottom" as const,
      symbolType: "square" as const,
      symbolSize: 120,
      symbolFillColor: HEAT,
      symbolStrokeWidth: 0,
      tickCount: 5,
    },
  };
}
