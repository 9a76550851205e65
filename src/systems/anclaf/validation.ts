import { PipeError } from "../../errors.ts";
import type { LiveModel, Validation } from "../../nn/fit.ts";
import { affectMetrics } from "../../nn/metrics.ts";
import type { ReadableFaces } from "./reconstruction.ts";

export interface ValidationFaces extends ReadableFaces {
  /** [count, 2]: valence, arousal, scaled to −1..1. */
  readonly labels: Float32Array;
}

export interface Stage1ValidationOptions {
  /** Faces of the inner validation split: neither trained on nor tested on. */
  readonly indices: ArrayLike<number>;
  /** Iterations between two validations. */
  readonly every: number;
  /** Faces in one run of the program. */
  readonly batch: number;
  readonly patience?: number;
}

/**
 * Validation of stage 1 on clean faces: `rmse`, `cor`, `ccc`, `icc`, means of valence and arousal on −1..1, and `score`,
 * COR + CCC + ICC, by which the published code chooses its checkpoint (there on the test fold).
 */
export function stage1Validation(faces: ValidationFaces, options: Stage1ValidationOptions): Validation {
  const { indices, every, batch, patience } = options;
  if (indices.length === 0)
    throw new PipeError("There are no faces to validate on.", { hint: "Give the split a fold for validation." });
  return {
    every,
    metric: "score",
    better: "higher",
    ...(patience !== undefined && { patience }),
    async measure(model) {
      const affect = await predictAll(model, faces, indices, batch);
      const column = (values: ArrayLike<number>, dimension: number) =>
        Float32Array.from({ length: values.length / 2 }, (_, i) => values[i * 2 + dimension]!);
      const labels = Float32Array.from(
        { length: indices.length * 2 },
        (_, i) => faces.labels[indices[i >> 1]! * 2 + (i & 1)]!,
      );
      const { average } = affectMetrics(
        { valence: column(affect, 0), arousal: column(affect, 1) },
        { valence: column(labels, 0), arousal: column(labels, 1) },
      );
      return { ...average, score: average.cor + average.ccc + average.icc };
    },
  };
}

/** [indices.length, 2]; the last batch is filled up, since another shape would be another graph. */
async function predictAll(
  model: LiveModel,
  faces: ReadableFaces,
  indices: ArrayLike<number>,
  batch: number,
): Promise<Float32Array> {
  const affect = new Float32Array(indices.length * 2);
  const pixels = new Uint8Array(batch * faces.side ** 2 * 3);
  for (let from = 0; from < indices.length; from += batch) {
    model.signal.throwIfAborted();
    const some = Array.from({ length: Math.min(batch, indices.length - from) }, (_, i) => indices[from + i]!);
    await faces.read(some, pixels);
    const shape = [batch, faces.side, faces.side, 3];
    const said = (await model.run("predict", { pixels: { data: pixels, shape } })).affect!.data as Float32Array;
    affect.set(said.subarray(0, some.length * 2), from * 2);
  }
  return affect;
}
