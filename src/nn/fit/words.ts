import type { FitStanding } from "./types.ts";

/**
 * A standing on one line: `1200/5000  critic 0.412  generator 1.31  310 samples/s  waits for data 3 %  9:10 left`.
 * Of each phase the total is shown.
 */
export function inWords(standing: FitStanding): string {
  const { iteration, iterations, losses, samplesPerSecond, dataWait, secondsLeft } = standing;
  const totals = Object.entries(losses).filter(([key]) => key.endsWith("/total"));
  return [
    `${iteration}/${iterations}`,
    ...totals.map(([key, value]) => `${key.slice(0, -"/total".length)} ${Number(value.toPrecision(3))}`),
    `${Number(samplesPerSecond.toPrecision(3))} samples/s`,
    ...(dataWait >= 0.005 ? [`waits for data ${Math.round(dataWait * 100)} %`] : []),
    ...(secondsLeft === null ? [] : [`${clock(secondsLeft)} left`]),
  ].join("  ");
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
