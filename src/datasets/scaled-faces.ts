import { toUnit } from "../nn/label-scale.ts";
import type { FaceStore } from "./face-store.ts";
import { labelWeights } from "./weights.ts";

/** Faces with labels as networks are trained on them. */
export interface ScaledFaces {
  /** Width and height, pixels. */
  readonly side: number;
  /** [count, 2]: valence, arousal, scaled to −1..1. */
  readonly labels: Float32Array;
  /** [count, 2]: inverse-frequency weights of the labels, mean 1 over the training faces. */
  readonly weights: Float32Array;
  read(indices: ArrayLike<number>, into: Uint8Array): Promise<void>;
}

/** A store's faces, labels scaled by the declared range; `training` are the faces that the weights are counted from. */
export function scaledFaces(store: FaceStore, training: Int32Array): ScaledFaces {
  const labels = new Float32Array(store.count * 2);
  const weights = new Float32Array(store.count * 2);
  for (const [d, dimension] of (["valence", "arousal"] as const).entries()) {
    const values = store[dimension];
    const range = store.range[dimension];
    const own = labelWeights(
      Array.from(training, (i) => values[i]!),
      range,
    );
    for (let i = 0; i < store.count; i++) {
      labels[i * 2 + d] = toUnit(values[i]!, range);
      weights[i * 2 + d] = own.of(values[i]!);
    }
  }
  return { side: store.side, labels, weights, read: (indices, into) => store.read(indices, into) };
}
