import { expect, it } from "vitest";
import type { FaceStore } from "../../src/datasets/face-store.ts";
import { scaledFaces } from "../../src/datasets/scaled-faces.ts";

it("scales each label by its own range, and weighs it by how rare it is among the training faces alone", async () => {
  const asked: unknown[] = [];
  const store = {
    side: 16,
    count: 4,
    range: { valence: [-10, 10], arousal: [0, 1] },
    valence: Float32Array.of(-10, 0, 0, 10),
    arousal: Float32Array.of(0, 1, 0.5, 0.25),
    read: async (...given: unknown[]) => void asked.push(given),
  } as unknown as FaceStore;
  const faces = scaledFaces(store, Int32Array.of(0, 1, 2));
  expect(Array.from(faces.labels)).toEqual([-1, -1, 0, 1, 0, 0, 1, -0.5]);
  const [rare, often, , unseen] = [0, 1, 2, 3].map((i) => faces.weights[i * 2]!);
  expect(rare! + 2 * often!).toBeCloseTo(3, 6);
  expect(rare! / often!).toBeCloseTo(3 / 2, 6);
  expect(unseen! / often!).toBeCloseTo(3, 6);
  const arousal = [0, 1, 2].map((i) => faces.weights[i * 2 + 1]!);
  expect(arousal.every((weight) => Math.abs(weight - 1) < 1e-6)).toBe(true);
  await faces.read([3], new Uint8Array(768));
  expect(asked).toEqual([[[3], new Uint8Array(768)]]);
});
