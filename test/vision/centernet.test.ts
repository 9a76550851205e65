import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readImage } from "../../src/media/images.ts";
import { openBlazeFace } from "../../src/vision/blazeface.ts";
import { openCenterNet } from "../../src/vision/centernet.ts";
import { type Detector, detect } from "../../src/vision/detector.ts";
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
