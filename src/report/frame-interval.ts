import type { PredictedStep } from "./sequence-files.ts";

/**
 * Median time between neighbouring frames, milliseconds; null where no clip has two, or the clips do not have one rate.
 *
 * @param steps clip by clip and track by track, in time
 */
export function frameInterval(steps: readonly Pick<PredictedStep, "clip" | "track" | "pts">[]): number | null {
  const gaps = steps.flatMap(({ clip, track, pts }, i) => {
    const before = steps[i - 1];
    return before?.clip === clip && before.track === track && pts > before.pts ? [pts - before.pts] : [];
  });
  if (gaps.length === 0) return null;
  gaps.sort((a, b) => a - b);
  const median = gaps[gaps.length >> 1]!;
  const alike = gaps.filter((gap) => Math.abs(gap - median) <= median / 10);
  return alike.length < STEADY * gaps.length ? null : median / 1000;
}

/** Share of the gaps that may be wider because frames are missing. */
const STEADY = 0.75;
