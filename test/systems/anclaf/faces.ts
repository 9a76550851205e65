import { seeded } from "../../../src/random.ts";
import type { TrainingFaces } from "../../../src/systems/anclaf/training-batches.ts";

/** Small pictures whose brightness is their valence and whose slope is their arousal, so that both can be learnt. */
export function drawnFaces(count: number, side: number): TrainingFaces & { readonly reads: number[][] } {
  const random = seeded("faces");
  const labels = Float32Array.from({ length: count * 2 }, () => random.uniform(-1, 1));
  const pixels = new Uint8Array(count * side * side * 3);
  for (let i = 0; i < count; i++)
    for (let p = 0; p < side * side; p++)
      for (let c = 0; c < 3; c++) {
        const slope = ((p / side / side) * 2 - 1) * labels[i * 2 + 1]! * 50;
        pixels[(i * side * side + p) * 3 + c] = 128 + labels[i * 2]! * 70 + slope + c;
      }
  const reads: number[][] = [];
  return {
    side,
    labels,
    weights: new Float32Array(count * 2).fill(1),
    reads,
    async read(indices, into) {
      reads.push(Array.from(indices));
      const size = side * side * 3;
      for (let i = 0; i < indices.length; i++)
        into.set(pixels.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
    },
  };
}
