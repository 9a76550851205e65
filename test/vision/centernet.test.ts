import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, loadGraphModel } from "../../src/compile/index.ts";
import { readImage } from "../../src/media/images.ts";
import { openBlazeFace } from "../../src/vision/blazeface.ts";
import { openCenterNet } from "../../src/vision/centernet.ts";
import { type Detection, type Detector, detect } from "../../src/vision/detector.ts";
import { bundled } from "../../src/vision/models.ts";
import { greedyNms } from "../../src/vision/nms.ts";
import { hasMedia, media } from "../media.ts";
import { drawn } from "./drawn.ts";

let detector: Detector;
beforeAll(async () => {
  detector = await openCenterNet({ floor: 0.2 });
});
afterAll(() => detector?.[Symbol.asyncDispose]());

test("an empty scene has no people", async () => {
  const [found] = await detect(detector, [
    await drawn(320, 200, `<rect x="40" y="50" width="90" height="60" fill="#a33"/>`),
  ]);
  expect(found!.filter(({ score }) => score >= 0.4)).toEqual([]);
});

describe.skipIf(!hasMedia)("photos", () => {
  test("people and boxes are those of the model's own decoding", async () => {
    const image = await readImage(media("images", "pyfeat_multi_face.jpg"));
    const { input, scaleX, scaleY, dx, dy } = await detector.prepare(image);
    const model = await loadGraphModel(bundled("centernet"), { outputs: ["tower_0/detections"] });
    await using whole = compile(model.program, { name: "centernet whole" });
    const feed = { data: Float32Array.from(input.data), shape: [1, 512, 512, 3] };
    const { data } = (await whole.run({ "tower_0/images": feed }))["tower_0/detections"]!;
    // Rows of left, top, right, bottom, score, class; the best hundred of all classes.
    const people: Detection[] = [];
    for (let i = 0; i < 100; i++) {
      const [left, top, right, bottom, score, label] = data.subarray(i * 6, i * 6 + 6) as unknown as number[];
      if (label !== 0 || score! < 0.2) continue;
      const [x, y] = [(left! - dx) / scaleX, (top! - dy) / scaleY];
      const box = { x, y, width: (right! - left!) / scaleX, height: (bottom! - top!) / scaleY };
      people.push({ score: score!, box, landmarks: null });
    }
    const expected = greedyNms(people, 0.5);
    const [found] = await detect(detector, [image]);
    expect(found!.length).toBeGreaterThanOrEqual(5);
    expect(found!.map(({ score }) => score)).toEqual(expected.map(({ score }) => expect.closeTo(score, 3)));
    for (const [i, { box }] of found!.entries())
      for (const key of ["x", "y", "width", "height"] as const)
        expect(Math.abs(box[key] - expected[i]!.box[key])).toBeLessThan(0.5);
    model.dispose();
  });

  test("each of five people has a body below the face", async () => {
    const image = await readImage(media("images", "pyfeat_multi_face.jpg"));
    const faces = await openBlazeFace({ floor: 0.5 });
    const [heads] = await detect(faces, [image]);
    await faces[Symbol.asyncDispose]();
    const [bodies] = await detect(detector, [image]);
    expect(heads!.length).toBe(5);
    const owners = heads!.map(({ box }) => {
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      return bodies!.filter(
        ({ score, box: b }) =>
          score > 0.3 && x > b.x && x < b.x + b.width && y > b.y && y < b.y + b.height / 2 && b.height > 2 * box.height,
      ).length;
    });
    expect(Math.min(...owners)).toBeGreaterThanOrEqual(1);
  });

  test("a photo alone equals the same photo among others", async () => {
    const images = await Promise.all(
      ["pyfeat_multi_face.jpg", "mediapipe_two_faces.jpeg"].map((name) => readImage(media("images", name))),
    );
    const together = await detect(detector, images);
    expect(together.every((found) => found.length > 0)).toBe(true);
    for (const [i, image] of images.entries()) expect((await detect(detector, [image]))[0]).toEqual(together[i]);
  });
});
