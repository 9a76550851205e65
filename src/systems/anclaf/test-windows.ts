import { toNative } from "../../nn/label-scale.ts";
import { affectMetrics, METRICS } from "../../nn/metrics.ts";
import type { Window } from "../../records.ts";
import type { SequencePredictor } from "./sequence-predict.ts";
import { scoredSteps } from "./window-predictions.ts";

/** A face with its labels and what was said of it, native units; labels are NaN where there are none. */
export interface TestedStep {
  readonly clip: string;
  readonly track: number;
  readonly frame: number;
  /** Microseconds. */
  readonly pts: number;
  /** Faces of its window that the model had been shown, this one included; ≥ 1. */
  readonly seen: number;
  readonly valence: number;
  readonly arousal: number;
  readonly predictedValence: number;
  readonly predictedArousal: number;
}

/** What one step of a window attended to. */
export interface AttendedStep {
  readonly clip: string;
  readonly track: number;
  readonly frame: number;
  /** Position in the window. */
  readonly step: number;
  readonly scored: boolean;
  /** Of steps 0 to `step − 1`. */
  readonly weights: Float32Array;
}

export interface SequenceTest {
  /** Every face of the windows once. */
  readonly steps: readonly TestedStep[];
  /** Over all labelled faces: `rmse V`, `rmse A`, `cor V`, … */
  readonly metrics: Readonly<Record<string, number>>;
  /** Window by window, without padding; none where the model does not attend. */
  readonly attention: readonly AttendedStep[];
}

export interface TestWindowsOptions {
  /** Lowest and highest label in native units. */
  readonly range: Readonly<Record<"valence" | "arousal", readonly [low: number, high: number]>>;
  readonly signal?: AbortSignal;
}

/** What a trained sequence model says of the windows that it is tested on. At least one of their faces has a label. */
export async function testWindows(
  predictor: SequencePredictor,
  windows: readonly Window[],
  { range, signal }: TestWindowsOptions,
): Promise<SequenceTest> {
  const steps: TestedStep[] = [];
  const attended: AttendedStep[] = [];
  for await (const { window, affect, seen, attention } of predictor.predict(windows, signal)) {
    const { n, source, clip, track, index, pts, labels, length, fresh } = window;
    const whose = { clip: clip?.id ?? source, track };
    for (const t of scoredSteps(window))
      steps.push({
        ...whose,
        frame: index[t]!,
        pts: pts[t]!,
        seen: seen[t]!,
        valence: labels[t * 2]!,
        arousal: labels[t * 2 + 1]!,
        predictedValence: toNative(affect[t * 2]!, range.valence),
        predictedArousal: toNative(affect[t * 2 + 1]!, range.arousal),
      });
    if (attention)
      for (let t = 0; t < length; t++)
        attended.push({
          ...whose,
          frame: index[t]!,
          step: t,
          scored: t >= fresh,
          weights: attention.subarray(t * n, t * n + t),
        });
  }
  return { steps, metrics: metricsOf(steps), attention: attended };
}

function metricsOf(steps: readonly TestedStep[]): Record<string, number> {
  const known = steps.filter(({ valence, arousal }) => !Number.isNaN(valence) && !Number.isNaN(arousal));
  const scores = affectMetrics(
    { valence: known.map((step) => step.predictedValence), arousal: known.map((step) => step.predictedArousal) },
    { valence: known.map((step) => step.valence), arousal: known.map((step) => step.arousal) },
  );
  const entries = METRICS.flatMap((metric) => [
    [`${metric} V`, scores.valence[metric]] as const,
    [`${metric} A`, scores.arousal[metric]] as const,
  ]);
  return Object.fromEntries(entries);
}
