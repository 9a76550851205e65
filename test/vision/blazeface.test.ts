import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, loadGraphModel } from "../../src/compile/index.ts";
import { readImage } from "../../src/media/images.ts";
import type { Box, Image } from "../../src/records.ts";
import { openBlazeFace } from "../../src/vision/blazeface.ts";
import { iou } from "../../src/vision/boxes.ts";
import { type Detector, detect } from "../../src/vision/detector.ts";
import { bundled, bundledDigest } from "../../src/vision/models.ts";
import { hasMedia, media } from "../media.ts";
import { drawn, face } from "./drawn.ts";

let detector: Detector;
let faces: Image;
beforeAll(async () => {
  detector = await openBlazeFace({ floor: 0.3 });
  faces = await drawn(640, 360, face(200, 180, 90) + face(480, 160, 60));
});
afterAll(() => detector?.[Symbol.asyncDispose]());

test("drawn faces are found where they were drawn, with landmarks in the person's order", async () => {
  const [found] = await detect(detector, [faces]);
  expect(found!.map(({ score }) => score > 0.7)).toEqual([true, true]);
  const byPlace = [...found!].sort((a, b) => a.box.x - b.box.x);
  for (const [i, [x, y, radius]] of [
    [0, [200, 180, 90]],
    [1, [480, 160, 60]],
  ] as const) {
    const { box, landmarks } = byPlace[i]!;
    expect(Math.abs(box.x + box.width / 2 - x)).toBeLessThan(radius / 4);
    const [rightEyeX, rightEyeY, leftEyeX, leftEyeY, noseX, noseY, mouthX, mouthY] = landmarks!;
    expect(landmarks!.length).toBe(12);
    expect(Math.abs(rightEyeX! - (x - 0.38 * radius))).toBeLessThan(radius / 5);
    expect(Math.abs(leftEyeX! - (x + 0.38 * radius))).toBeLessThan(radius / 5);
    expect(Math.abs(rightEyeY! - (y - 0.2 * radius))).toBeLessThan(radius / 5);
    expect(Math.abs(leftEyeY! - (y - 0.2 * radius))).toBeLessThan(radius / 5);
    expect(noseY!).toBeGreaterThan(rightEyeY!);
    expect(mouthY!).toBeGreaterThan(noseY!);
    expect(Math.abs(noseX! - x) + Math.abs(mouthX! - x)).toBeLessThan(radius / 3);
  }
});

test("no face, no detection; no image, no call", async () => {
  const plain = await drawn(300, 200, `<circle cx="90" cy="90" r="40" fill="#a33"/>`);
  expect((await detect(detector, [plain]))[0]!.filter(({ score }) => score >= 0.5)).toEqual([]);
  expect(await detect(detector, [])).toEqual([]);
});

test("an image's detections do not depend on the images beside it", async () => {
  const others = await Promise.all([90, 70, 50, 40].map((r) => drawn(200 + r, 300 - r, face(120, 140, r))));
  const images = [faces, ...others];
  const together = await detect(detector, images);
  for (const [i, image] of images.entries()) expect((await detect(detector, [image]))[0]).toEqual(together[i]);
});

test("decoding agrees with a slow loop over the network's raw outputs", async () => {
  const model = await loadGraphModel(bundled("blazeface"));
  const raw = compile(({ input }) => model.program({ input: input! }), { name: "raw", engine: "js" });
  const { input: image } = await detector.prepare(faces);
  const input = Float32Array.from(image.data, (byte) => byte / 127.5 - 1);
  const out = await raw.run({ input: { data: input, shape: [1, 256, 256, 3] } });
  // What the letterbox did: 640 × 360 into 256 wide, 56 black rows above.
  const back = (x: number, y: number) => [x * 2.5, (y - 56) * 2.5] as const;

  const [found] = await detect(detector, [faces]);
  let matched = 0;
  for (const [grid, perCell, logits, values] of [
    [16, 2, out.Identity!.data, out.Identity_2!.data],
    [8, 6, out.Identity_1!.data, out.Identity_3!.data],
  ] as const)
    for (let row = 0; row < grid; row++)
      for (let column = 0; column < grid; column++)
        for (let k = 0; k < perCell; k++) {
          const anchor = (row * grid + column) * perCell + k;
          const score = 1 / (1 + Math.exp(-logits[anchor]!));
          const best = found!.find((one) => Math.abs(one.score - score) < 1e-4);
          if (score < 0.5 || !best) continue;
          matched++;
          const centre = [((column + 0.5) * 256) / grid, ((row + 0.5) * 256) / grid] as const;
          const v = values.slice(anchor * 16, anchor * 16 + 16);
          const [x, y] = back(v[0]! + centre[0], v[1]! + centre[1]);
          const [w, h] = [v[2]! * 2.5, v[3]! * 2.5];
          // Merged with its neighbours, the box moves a little.
          expect(iou(best.box, { x: x - w / 2, y: y - h / 2, width: w, height: h })).toBeGreaterThan(0.93);
          for (let p = 0; p < 6; p++) {
            const [px, py] = back(v[4 + 2 * p]! + centre[0], v[5 + 2 * p]! + centre[1]);
            expect(Math.hypot(px - best.landmarks![2 * p]!, py - best.landmarks![2 * p + 1]!)).toBeLessThan(0.06 * w);
          }
        }
  expect(matched).toBe(2);
  await raw.dispose();
  model.dispose();
});

test("the digest names the weights without opening them", async () => {
  expect(await bundledDigest("blazeface")).toBe(detector.digest);
});

test("disposing leaves no tensor", async () => {
  const before = tf.memory().numTensors;
  const second = await openBlazeFace({ floor: 0.3 });
  await detect(second, [faces]);
  await second[Symbol.asyncDispose]();
  expect(tf.memory().numTensors).toBe(before);
});

describe.skipIf(!hasMedia)("photos", () => {
  const find = async (name: string) => {
    const [found] = await detect(detector, [await readImage(media("images", name))]);
    return found!.filter(({ score }) => score >= 0.5);
  };

  test("one portrait: near MediaPipe's short-range box", async () => {
    const [one, ...others] = await find("tfjs_portrait.jpg");
    expect(others).toEqual([]);
    expect(one!.score).toBeGreaterThan(0.9);
    // This is MediaPipe's back-camera network: its boxes are 0.92 times those of the short- and full-range ones.
    const short = { x: 282, y: 113, width: 238, height: 238 };
    const middle = ({ x, y, width, height }: Box) => [x + width / 2, y + height / 2] as const;
    const [[x, y], [sx, sy]] = [middle(one!.box), middle(short)];
    expect(Math.abs(x - sx)).toBeLessThan(10);
    expect(Math.abs(y - sy)).toBeLessThan(10);
    expect(iou(one!.box, short)).toBeGreaterThan(0.8);
  });

  test("two and five faces", async () => {
    expect((await find("mediapipe_two_faces.jpeg")).length).toBe(2);
    expect((await find("pyfeat_multi_face.jpg")).length).toBe(5);
  });
});
