import { readdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawFrame } from "../../src/datasets/synth/clip.ts";
import { SAMPLES } from "../../src/datasets/synth/samples.ts";
import { type ClipTruth, faceEntry, readTruth } from "../../src/datasets/synth/truth.ts";
import { decode } from "../../src/media/index.ts";
import type { Box, Image } from "../../src/records.ts";
import { type Detector, detect } from "../../src/vision/detector.ts";
import { openFaceDetector } from "../../src/vision/faces.ts";

const sample = (name: string) => fileURLToPath(new URL(`../../data/samples/${name}`, import.meta.url));

let detector: Detector;
beforeAll(async () => {
  detector = await openFaceDetector({ floor: 0.5 });
});
afterAll(() => detector[Symbol.asyncDispose]());

describe.each(SAMPLES)("$name", (script) => {
  test("its truth is what the script draws", async () => {
    const truth = await readTruth(sample(`${script.name}.json`));
    expect(truth.frames).toEqual(
      script.times.map((pts) => {
        const { shot, truth: faces } = drawFrame(script, pts);
        return { pts, shot, faces: faces.map(faceEntry) };
      }),
    );
  });

  test("every landmark lies inside the frame", async () => {
    const truth = await readTruth(sample(`${script.name}.json`));
    const points = truth.frames.flatMap(({ faces }) => faces.flatMap(({ landmarks }) => landmarks));
    const [xs, ys] = [0, 1].map((axis) => points.filter((_, i) => i % 2 === axis));
    for (const [values, size] of [
      [xs!, script.width],
      [ys!, script.height],
    ] as const) {
      expect(Math.min(...values)).toBeGreaterThan(0);
      expect(Math.max(...values)).toBeLessThan(size);
    }
  });

  test("the clip's frames are those of its truth, and BlazeFace finds the faces in more than 95 % of them", async () => {
    const truth = await readTruth(sample(`${script.name}.json`));
    const decoding = decode(sample(`${script.name}.mp4`));
    const pts: number[] = [];
    let hits = 0;
    let batch: { image: Image; faces: ClipTruth["frames"][number]["faces"] }[] = [];
    const look = async () => {
      const found = await detect(
        detector,
        batch.map(({ image }) => image),
      );
      hits += batch.filter(({ faces }, i) =>
        faces.length === 0
          ? found[i]!.length === 0
          : faces.every(({ box: [x, y, width, height] }) =>
              found[i]!.some(({ box }) => overlap(box, { x: x!, y: y!, width: width!, height: height! }) >= 0.5),
            ),
      ).length;
      batch = [];
    };
    for await (const frame of decoding) {
      batch.push({ image: frame.image, faces: truth.frames[pts.length]?.faces ?? [] });
      pts.push(frame.pts);
      if (batch.length === 16) await look();
    }
    await look();
    expect((await decoding.ending).verdict).toBe("complete");
    expect(pts).toEqual(truth.frames.map((frame) => frame.pts));
    expect(hits / pts.length).toBeGreaterThan(0.95);
  });
});

test("the samples show what they are for, and stay small", async () => {
  const truths = await Promise.all(SAMPLES.map(({ name }) => readTruth(sample(`${name}.json`))));
  const byName = Object.fromEntries(truths.map((truth) => [truth.clip, truth.frames]));
  expect(byName["two-faces"]!.every(({ faces }) => faces.length === 2)).toBe(true);
  const gaps = byName["cuts-and-gaps"]!;
  expect(gaps.filter(({ faces }) => faces.length === 0)).toHaveLength(25);
  expect(new Set(gaps.map(({ shot }) => shot)).size).toBe(3);
  const files = await readdir(sample("."));
  const sizes = await Promise.all(files.map(async (file) => (await stat(sample(file))).size));
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(1.5e6);
});

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}
