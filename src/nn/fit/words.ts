import type { FitStanding } from "./types.ts";

/**
 * A standing on one line: `1200/5000  critic 0.412  generator 1.31  310 samples/s  waits for data 3 %`.
 * Of each phase the total is shown. What is left is for who knows all that is to be done.
 */
export function inWords(standing: FitStanding): string {
  const { iteration, iterations, losses, samplesPerSecond, dataWait } = standing;
  const totals = Object.entries(losses).filter(([key]) => key.endsWith("/total"));
  return [
    `${iteration}/${iterations}`,
    ...totals.map(([key, value]) => `${key.slice(0, -"/total".length)} ${Number(value.toPrecision(3))}`),
    `${Number(samplesPerSecond.toPrecision(3))} samples/s`,
    ...(dataWait >= 0.005 ? [`waits for data ${Math.round(dataWait * 100)} %`] : []),
  ].join("  ");
}
