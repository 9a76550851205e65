import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile/index.ts";
import { PipeError } from "../../src/errors.ts";
import { readImage } from "../../src/media/images.ts";
import type { Image } from "../../src/records.ts";
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

const black = (width: number, height: number): Image => ({ width, height, data: new Uint8Array(width * height * 3) });

/** A picture with its upper left corner at (x, y) of another; what reaches beyond is cut off. */
function pasted(onto: Image, image: Image, x: number, y: number): Image {
  const data = onto.data.slice();
  for (let row = 0; row < Math.min(image.height, onto.height - y); row++) {
    const columns = Math.min(image.width, onto.width - x);
    const at = row * image.width * 3;
    data.set(image.data.subarray(at, at + columns * 3), ((y + row) * onto.width + x) * 3);
  }
  return { ...onto, data };
}

/**
 * Writes a detector that takes cells whose mean of blue is high for faces of one stride's width and height, centred on
 * the cell's upper left corner, with all landmarks there.
 */
async function brightCells(path: string, shape: [number, number], dtype: "float32" | "int32" = "float32") {
  const [height, width] = shape;
  await using compiled = compile(
    ({ input }) => {
      const blue = tf.reshape(tf.slice(input!, [0, 0, 0, 0], [1, 1, height, width]), [
        1,
        height,
        width,
        1,
      ]) as tf.Tensor4D;
      const heads = [8, 16, 32].flatMap((stride) => {
        const cells = Math.floor(height / stride) * Math.floor(width / stride);
        const cls = tf.div(tf.reshape(tf.avgPool(blue, stride, stride, "valid"), [1, cells, 1]), 255);
        const zeros = tf.mul(cls, 0);
        const own = stride === 32 ? cls : zeros;
        return [
          [`cls_${stride}`, own],
          [`obj_${stride}`, stride === 16 ? tf.cast(tf.add(zeros, 1), dtype) : tf.add(zeros, 1)],
          [`bbox_${stride}`, tf.tile(zeros, [1, 1, 4])],
          [`kps_${stride}`, tf.tile(zeros, [1, 1, 10])],
        ] as const;
      });
      return Object.fromEntries(heads);
    },
    { name: "bright cells", engine: "onnx" },
  );
  await writeFile(path, compiled.toOnnx({ input: { shape: [1, 3, height, width], dtype: "float32" } }));
}

describe("a detector with an input of fixed size", () => {
  const within = async (work: (path: string) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), "own-detector-"));
    try {
      await work(join(folder, "bright.onnx"));
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  test.each([
    [192, 128, 2],
    [96, 64, 1],
    [48, 32, 0.5],
    [192, 50, 2],
    [40, 128, 2],
  ])("a frame of %d × %d lies in its upper left corner", (width, height, shrink) =>
    within(async (path) => {
      await brightCells(path, [64, 96]);
      await using detector = await openFaceDetector({ detector: path, floor: 0.9 });
      const white = { ...black(width, height), data: new Uint8Array(width * height * 3).fill(255) };
      // The whole of the cell in column 0, row 0 is bright, where the frame covers it.
      const covered = Math.min(32, width / shrink) * Math.min(32, height / shrink) === 32 * 32;
      const [found] = await detect(detector, [white]);
      const first = found!.find(({ box }) => Math.abs(box.x + box.width / 2) + Math.abs(box.y + box.height / 2) < 1e-6);
      expect(first !== undefined).toBe(covered);
      if (first) expect([first.box.width, first.box.height, first.score]).toEqual([32 * shrink, 32 * shrink, 1]);
      for (const { box } of found!) {
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        expect(x + 32 * shrink).toBeLessThanOrEqual(width + 1e-6);
        expect(y + 32 * shrink).toBeLessThanOrEqual(height + 1e-6);
      }
      expect(found!.length).toBe(Math.floor(width / shrink / 32) * Math.floor(height / shrink / 32));
    }),
  );

  test("a head of whole numbers is refused by its name", () =>
    within(async (path) => {
      await brightCells(path, [64, 96], "int32");
      const refused = await openFaceDetector({ detector: path, floor: 0.5 }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(PipeError);
      expect((refused as PipeError).message).toMatch(/obj_16 is int32/);
      expect((refused as PipeError).message).not.toMatch(/cls_|bbox_|obj_8/);
      expect((refused as PipeError).hint).toMatch(/floating-point/);
    }));

  test("a size that is not made of whole strides of 32 is refused", () =>
    within(async (path) => {
      await brightCells(path, [64, 80]);
      const refused = await openFaceDetector({ detector: path, floor: 0.5 }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(PipeError);
      expect((refused as PipeError).message).toMatch(/80 × 64 pixels/);
    }));
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

  test("boxes and landmarks are those of a bare loop over the frame at its own size, padded at the right and below", async () => {
    const portrait = await photo("tfjs_portrait.jpg");
    const session = await InferenceSession.create(path);
    await using yunet = await openFaceDetector({ detector: path, floor: 0.6 });
    for (const [width, height] of [
      [640, 360],
      [500, 333],
      [97, 61],
    ] as const) {
      const frame = pasted(black(width, height), portrait, 0, 0);
      const expected = await bareYuNet(session, frame, 0.6);
      const [found] = await detect(yunet, [frame]);
      expect(found!.length).toBe(expected.length);
      for (const [i, { score, box, points }] of expected.entries()) {
        const own = found![i]!;
        expect(own.score).toBeCloseTo(score, 4);
        for (const [k, value] of [own.box.x, own.box.y, own.box.width, own.box.height].entries())
          expect(Math.abs(value - box[k]!)).toBeLessThan(0.01);
        for (const [k, value] of points.entries()) expect(Math.abs(own.landmarks![k]! - value)).toBeLessThan(0.01);
      }
    }
    await session.release();
  });

  test("a face at one place is found there in frames of any size", async () => {
    const portrait = await photo("tfjs_portrait.jpg");
    await using yunet = await openFaceDetector({ detector: path, floor: 0.6 });
    const boxes = [];
    for (const [width, height] of [
      [640, 480],
      [700, 500],
      [1280, 720],
      [1920, 1080],
    ] as const) {
      const [found] = await detect(yunet, [pasted(black(width, height), portrait, 0, 0)]);
      expect(found!.length).toBe(1);
      const { x, y, width: w, height: h } = found![0]!.box;
      boxes.push([x, y, w, h]);
    }
    // What follows the photo differs, and black around it is seen by the network: a pixel, not a share of the frame.
    for (const box of boxes) for (const k of box.keys()) expect(Math.abs(box[k]! - boxes.at(-1)![k]!)).toBeLessThan(2);
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

/** YuNet by the obvious loops: one session run, every cell, and suppression by overlap; x, y, width and height of boxes. */
async function bareYuNet(session: InferenceSession, { width, height, data }: Image, floor: number) {
  const [w, h] = [Math.ceil(width / 32) * 32, Math.ceil(height / 32) * 32];
  const planes = new Float32Array(3 * w * h);
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) planes[c * w * h + y * w + x] = data[(y * width + x) * 3 + 2 - c]!;
  const out = await session.run({ [session.inputNames[0]!]: new Tensor("float32", planes, [1, 3, h, w]) });
  const head = (name: string) => out[name]!.data as Float32Array;
  const faces = [];
  for (const stride of [8, 16, 32])
    for (let row = 0; row < h / stride; row++)
      for (let column = 0; column < w / stride; column++) {
        const cell = row * (w / stride) + column;
        const one = (value: number) => Math.min(1, Math.max(0, value));
        const score = Math.sqrt(one(head(`cls_${stride}`)[cell]!) * one(head(`obj_${stride}`)[cell]!));
        if (score < floor) continue;
        const [dx, dy, dw, dh] = head(`bbox_${stride}`).subarray(cell * 4, cell * 4 + 4);
        const [fw, fh] = [Math.exp(dw!) * stride, Math.exp(dh!) * stride];
        const box = [(column + dx!) * stride - fw / 2, (row + dy!) * stride - fh / 2, fw, fh] as const;
        const kps = head(`kps_${stride}`).subarray(cell * 10, cell * 10 + 10);
        const points = Array.from(kps, (value, i) => (value + (i % 2 === 0 ? column : row)) * stride);
        faces.push({ score, box, points });
      }
  faces.sort((a, b) => b.score - a.score);
  const kept: typeof faces = [];
  const overlap = (a: readonly number[], b: readonly number[]) => {
    const across = Math.min(a[0]! + a[2]!, b[0]! + b[2]!) - Math.max(a[0]!, b[0]!);
    const down = Math.min(a[1]! + a[3]!, b[1]! + b[3]!) - Math.max(a[1]!, b[1]!);
    const both = Math.max(0, across) * Math.max(0, down);
    return both / (a[2]! * a[3]! + b[2]! * b[3]! - both);
  };
  for (const face of faces) if (kept.every((other) => overlap(other.box, face.box) <= 0.45)) kept.push(face);
  return kept;
}
