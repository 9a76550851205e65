import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PipeError } from "../../src/errors.ts";
import { readImage } from "../../src/media/images.ts";
import { openBlazeFace } from "../../src/vision/blazeface.ts";
import { iou } from "../../src/vision/boxes.ts";
import { detect } from "../../src/vision/detector.ts";
import { faceDetectorDigest, openFaceDetector } from "../../src/vision/faces.ts";
import { hasMedia, media } from "../media.ts";

test("a file that is not there is said so", async () => {
  const missing = "/nowhere/own.onnx";
  for (const look of [() => openFaceDetector({ detector: missing, floor: 0.5 }), () => faceDetectorDigest(missing)]) {
    const error = await look().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(PipeError);
    expect((error as PipeError).message).toContain(missing);
  }
});

describe.skipIf(!hasMedia)("a user's own detector", () => {
  const path = media("models", "yunet_n_dynamic.onnx");
  const photo = (name: string) => readImage(media("images", name));

  test("finds the faces that BlazeFace finds, boxes and landmarks", async () => {
    await using yunet = await openFaceDetector({ detector: path, floor: 0.6 });
    await using blazeface = await openBlazeFace({ floor: 0.5 });
    for (const [name, faces] of [
      ["tfjs_portrait.jpg", 1],
      ["mediapipe_two_faces.jpeg", 2],
      ["pyfeat_multi_face.jpg", 5],
    ] as const) {
      const image = await photo(name);
      const [own] = await detect(yunet, [image]);
      const [bundled] = await detect(blazeface, [image]);
      expect(own!.length).toBe(faces);
      for (const { box, landmarks } of bundled!) {
        const same = own!.find((one) => iou(one.box, box) > 0.4);
        expect(same).toBeDefined();
        // Both give right eye, left eye and nose first.
        for (let i = 0; i < 6; i += 2)
          expect(
            Math.hypot(landmarks![i]! - same!.landmarks![i]!, landmarks![i + 1]! - same!.landmarks![i + 1]!),
          ).toBeLessThan(box.width / 6);
      }
    }
  });

  test("images of different sizes in one call, each as if alone", async () => {
    await using yunet = await openFaceDetector({ detector: path, floor: 0.6 });
    const images = await Promise.all(["tfjs_portrait.jpg", "pyfeat_multi_face.jpg", "tfjs_portrait.jpg"].map(photo));
    const together = await detect(yunet, images);
    for (const [i, image] of images.entries()) expect((await detect(yunet, [image]))[0]).toEqual(together[i]);
  });

  test("is known by its bytes, wherever it lies", async () => {
    const folder = await mkdtemp(join(tmpdir(), "own-detector-"));
    try {
      const copy = join(folder, "renamed.onnx");
      await copyFile(path, copy);
      await using yunet = await openFaceDetector({ detector: copy, floor: 0.6 });
      expect(await faceDetectorDigest(path)).toBe(yunet.digest);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("another layout is refused with the layouts known and what the file has", async () => {
    const other = media("models", "derived_mobilenet_v1_0.25_224.onnx");
    const error = await openFaceDetector({ detector: other, floor: 0.5 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(PipeError);
    const { message, hint } = error as PipeError;
    expect(message).toContain(other);
    expect(hint).toMatch(/YuNet.*cls_S.*kps_S/);
    expect(hint).toMatch(/The file has: input .*float32.*224/);
  });
});
