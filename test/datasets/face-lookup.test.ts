import sharp from "sharp";
import { expect, test } from "vitest";
import { faceLookup } from "../../src/datasets/face-lookup.ts";
import type { FaceStore } from "../../src/datasets/face-store.ts";

/** Two faces of 4 × 4 pixels, one grey each, with two landmarks. */
const store = {
  count: 2,
  side: 4,
  points: 2,
  clips: [{ id: "a" }, { id: "b" }],
  clipOf: Int32Array.of(0, 1),
  frameOf: Int32Array.of(7, 7),
  box: Int32Array.of(10, 20, 8, 16, 0, 0, 4, 4),
  landmarks: Float32Array.of(0, 0, 4, 2, 1, 2, 3, 3),
  async read(rows: ArrayLike<number>, into: Uint8Array) {
    into.fill(100 + rows[0]! * 100);
  },
} as unknown as FaceStore;

test("landmarks are in pixels of the whole frame, whatever the crop was stretched to", () => {
  const { landmarks } = faceLookup(store);
  expect([...landmarks("a", 7)!]).toEqual([10, 20, 18, 28]);
  expect([...landmarks("b", 7)!]).toEqual([1, 2, 3, 3]);
  expect(landmarks("a", 8)).toBeNull();
  expect(landmarks("c", 7)).toBeNull();
});

test("pictures are data URIs of the size asked for; frames without a face have none", async () => {
  const pictures = await faceLookup(store).pictures("b", [6, 7], 8);
  expect([...pictures.keys()]).toEqual([7]);
  const [head, data] = pictures.get(7)!.split(",");
  expect(head).toBe("data:image/png;base64");
  const image = sharp(Buffer.from(data!, "base64"));
  expect(await image.metadata()).toMatchObject({ width: 8, height: 8 });
  expect((await image.removeAlpha().raw().toBuffer())[0]).toBe(200);
});
