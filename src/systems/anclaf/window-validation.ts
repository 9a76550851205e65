import { PipeError } from "../../errors.ts";
import type { Validation } from "../../nn/fit.ts";
import { affectMetrics } from "../../nn/metrics.ts";
import type { Window } from "../../records.ts";
import type { LabelScale, StepOrder, WindowReader } from "./window-batches.ts";
import { predictWindows, scoredSteps } from "./window-predictions.ts";

export interface WindowValidationOptions {
  /** Of the validation people: neither trained on nor tested on. Of one length and shape. */
  readonly windows: readonly Window[];
  /** Iterations between two validations. */
  readonly every: number;
  /** Windows in one run of the program. */
  readonly batch: number;
  readonly reader: WindowReader;
  readonly scale: LabelScale;
  readonly order?: StepOrder;
  readonly patience?: number;
}

/**
 * Validation of stage 2, as that of stage 1: `rmse`, `cor`, `ccc`, `icc`, means of valence and arousal on −1..1, and
 * `score`, COR + CCC + ICC, by which the best checkpoint is chosen. Every frame counts once.
 */
export function windowValidation(options: WindowValidationOptions): Validation {
  const { windows, every, batch, reader, scale, order, patience } = options;
  if (!windows.some((window) => labelledSteps(window).length > 0))
    throw new PipeError("There are no labelled frames to validate on.", {
      hint: "Give the split people for validation, and look at their labels.",
    });
  return {
    every,
    metric: "score",
    better: "higher",
    ...(patience !== undefined && { patience }),
    async measure(model) {
      const [said, true_] = [series(), series()];
      const run = (feeds: Parameters<typeof model.run>[1]) => model.run("predict", feeds);
      const looked = { reader, batch, run, signal: model.signal, ...(order && { order }) };
      for await (const { window, affect } of predictWindows(windows, looked))
        for (const t of labelledSteps(window)) {
          said.valence.push(affect[t * 2]!);
          said.arousal.push(affect[t * 2 + 1]!);
          true_.valence.push(scale.unit(window.labels[t * 2]!, 0));
          true_.arousal.push(scale.unit(window.labels[t * 2 + 1]!, 1));
        }
      const { average } = affectMetrics(said, true_);
      return { ...average, score: average.cor + average.ccc + average.icc };
    },
  };
}

/** The steps that the window scores and that can be compared with a label. */
export function labelledSteps(window: Window): number[] {
  return [...scoredSteps(window)].filter(
    (t) => !Number.isNaN(window.labels[t * 2]) && !Number.isNaN(window.labels[t * 2 + 1]),
  );
}

const series = (): Record<"valence" | "arousal", number[]> => ({ valence: [], arousal: [] });
