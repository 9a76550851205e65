import type { Json } from "../../digest.ts";
import { type FitOptions, type FitResult, fit, type LiveModel } from "../../nn/fit.ts";
import { affectMetrics } from "../../nn/metrics.ts";
import { type Stage1Options, stage1 } from "./stage1.ts";
import { type TrainingFaces, trainingBatches } from "./training-batches.ts";

export interface TrainOptions
  extends Stage1Options,
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
 * Trains ANCLaF's first stage, G, D and the frame combiner C, and keeps the checkpoint that is best in the mean CCC of
 * valence and arousal over the validation faces, at most {@link VALIDATED} of them, evenly spread.
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
    validation: {
      every: validateEvery,
      metric: "ccc",
      better: "higher",
      ...(patience !== undefined && { patience }),
      measure: (model) => validate(model, faces, looked),
    },
    checkpointEvery: validateEvery,
    keep: 1,
  });
}

/** More would take longer than they tell. */
const VALIDATED = 1000;
const FACES_A_RUN = 50;

async function validate(
  model: LiveModel,
  faces: TrainingFaces,
  indices: Int32Array,
): Promise<Record<"ccc" | "ccc/valence" | "ccc/arousal" | "rmse", number>> {
  const { side, labels } = faces;
  const size = side * side * 3;
  const predicted = { valence: new Float64Array(indices.length), arousal: new Float64Array(indices.length) };
  const truth = { valence: new Float64Array(indices.length), arousal: new Float64Array(indices.length) };
  for (let from = 0; from < indices.length; from += FACES_A_RUN) {
    model.signal.throwIfAborted();
    // All runs are of one shape, so that there is one graph; what is beyond the last face stays black and is not looked at.
    const pixels = new Uint8Array(FACES_A_RUN * size);
    const own = indices.subarray(from, from + FACES_A_RUN);
    await faces.read(own, pixels.subarray(0, own.length * size));
    const { affect } = await model.run("predict", {
      pixels: { data: pixels, shape: [FACES_A_RUN, side, side, 3] },
    });
    for (const [i, face] of own.entries())
      for (const [d, dimension] of (["valence", "arousal"] as const).entries()) {
        predicted[dimension][from + i] = affect!.data[i * 2 + d]!;
        truth[dimension][from + i] = labels[face * 2 + d]!;
      }
  }
  const { valence, arousal, average } = affectMetrics(predicted, truth);
  return { ccc: average.ccc, "ccc/valence": valence.ccc, "ccc/arousal": arousal.ccc, rmse: average.rmse };
}

/** At most `most` of the items, at equal steps. */
function spread(items: Int32Array, most: number): Int32Array {
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
