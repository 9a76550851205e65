import type { Json } from "../../digest.ts";
import { type FitOptions, type FitResult, fit } from "../../nn/fit.ts";
import { type Stage1Options, stage1 } from "./stage1.ts";
import { type TrainingFaces, trainingBatches } from "./training-batches.ts";
import { stage1Validation } from "./validation.ts";

export interface TrainOptions
  extends Omit<Stage1Options, "iterations">,
    Pick<
      FitOptions,
      "name" | "folder" | "iterations" | "seed" | "engine" | "provider" | "threads" | "signal" | "progress"
    > {
  readonly faces: TrainingFaces;
  /** Indices of the faces that are learned from, and of those that decide which checkpoint is the best. No overlap. */
  readonly training: Int32Array;
  readonly validation: Int32Array;
  /** What else decides the result: the digests of store and folds, the fold. */
  readonly data: Json;
  /** Iterations between two validations, default 500. */
  readonly validateEvery?: number;
  /** Validations without a better one after which training stops; default: never. */
  readonly patience?: number;
}

/**
 * Trains ANCLaF's first stage, G, D and the frame combiner C, and keeps the checkpoint that is best on the validation
 * faces (see `stage1Validation`), at most {@link VALIDATED} of them, evenly spread.
 */
export function trainStage1(options: TrainOptions): Promise<FitResult> {
  const { faces, training, validation, data, seed, validateEvery = 500, patience } = options;
  const { parts, phases, programs, settings, config } = stage1(options);
  const looked = spread(validation, VALIDATED);
  return fit({
    ...picked(options),
    parts,
    phases,
    programs,
    seed,
    config: { ...(config as Record<string, Json>), data },
    batch: trainingBatches(faces, { indices: training, batch: settings.batch, seed }),
    validation: stage1Validation(faces, {
      indices: looked,
      every: validateEvery,
      batch: Math.min(FACES_A_RUN, looked.length),
      ...(patience !== undefined && { patience }),
    }),
    checkpointEvery: validateEvery,
    keep: 1,
  });
}

/** More would take longer than they tell. */
const VALIDATED = 1000;
const FACES_A_RUN = 50;

/** At most `most` of the items, at equal steps. */
export function spread(items: Int32Array, most: number): Int32Array {
  if (items.length <= most) return items;
  return Int32Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]!);
}

function picked({ name, folder, iterations, engine, provider, threads, signal, progress }: TrainOptions) {
  return {
    name,
    folder,
    iterations,
    ...(engine !== undefined && { engine }),
    ...(provider !== undefined && { provider }),
    ...(threads !== undefined && { threads }),
    ...(signal !== undefined && { signal }),
    ...(progress !== undefined && { progress }),
  };
}
