import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import { type FitOptions, type FitResult, fit } from "../../nn/fit.ts";
import type { Weights } from "../../nn/weights.ts";
import type { Window } from "../../records.ts";
import { featureSize } from "./combiner.ts";
import { type Stage2Options, stage2 } from "./stage2.ts";
import {
  AHEAD,
  isTrainable,
  type LabelScale,
  type StepOrder,
  type WindowReader,
  windowBatches,
} from "./window-batches.ts";
import { windowValidation } from "./window-validation.ts";

export interface TrainSequenceOptions
  extends Stage2Options,
    Pick<
      FitOptions,
      "name" | "folder" | "iterations" | "seed" | "engine" | "provider" | "threads" | "signal" | "progress"
    > {
  /** Windows of n steps: those that are learned from, and those that decide which checkpoint is the best. No overlap. */
  readonly training: readonly Window[];
  readonly validation: readonly Window[];
  readonly reader: WindowReader;
  readonly scale: LabelScale;
  /** Weights to start from, all or some of the parameters; the others are drawn by the seed. */
  readonly start?: Weights;
  readonly order?: StepOrder;
  /** What else decides the result: digests of the windows and of what they point at. */
  readonly data: Json;
  /** Iterations between two validations. */
  readonly validateEvery: number;
  readonly patience?: number;
}

/**
 * Trains one sequence model, and keeps the checkpoint that is best on the validation windows (see `windowValidation`), of
 * which at most {@link VALIDATED} frames are looked at, evenly spread.
 */
export function trainSequence(options: TrainSequenceOptions): Promise<FitResult> {
  const { training, validation, reader, scale, start, order, data, seed, n, validateEvery, patience } = options;
  const { parts, phases, programs, batch, config, settings } = stage2(options);
  const dropout = { share: settings.dropout, features: featureSize(options.input.sizes) };
  const learned = training.filter(isTrainable);
  if (learned.length === 0)
    throw new PipeError(`${options.name}: none of the ${training.length} training windows has a face with a label.`);
  const shared = { reader, scale, ...(order && { order }) };
  return fit({
    ...picked(options),
    parts,
    phases,
    programs,
    ...(start && { start: { combiner: start } }),
    config: { ...(config as Record<string, Json>), data },
    batch: windowBatches({ ...shared, windows: learned, batch, seed, dropout }),
    validation: windowValidation({
      ...shared,
      windows: spread(validation, Math.ceil(VALIDATED / n)),
      every: validateEvery,
      batch: Math.min(batch, Math.max(1, Math.ceil(validation.length / 2))),
      ...(patience !== undefined && { patience }),
    }),
    checkpointEvery: validateEvery,
    keep: 1,
    batchesAhead: AHEAD,
  });
}

/** Frames; more would take longer than they tell. */
const VALIDATED = 4000;

/** At most `most` of the items, at equal steps. */
function spread<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!);
}

function picked(options: TrainSequenceOptions) {
  const { name, folder, iterations, seed, engine, provider, threads, signal, progress } = options;
  return {
    name,
    folder,
    iterations,
    seed,
    ...(engine !== undefined && { engine }),
    ...(provider !== undefined && { provider }),
    ...(threads !== undefined && { threads }),
    ...(signal !== undefined && { signal }),
    ...(progress !== undefined && { progress }),
  };
}
