import { readdir, readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labelsIn } from "../../src/datasets/label-csv.ts";
import { drawFrame } from "../../src/datasets/synth/clip.ts";
import { faceClip } from "../../src/datasets/synth/face-clip.ts";
import { labelText } from "../../src/datasets/synth/label-text.ts";
import { SAMPLES } from "../../src/datasets/synth/samples.ts";
import { TALKS, talkLabels } from "../../src/datasets/synth/talks.ts";
import { type ClipTruth, faceEntry, readTruth } from "../../src/datasets/synth/truth.ts";
import type { LabelFile } from "../../src/datasets/types.ts";
import { decode } from "../../src/media/index.ts";
import type { Box, Image } from "../../src/records.ts";
import { type Detector, detect } from "../../src/vision/detector.ts";
import { openFaceDetector } from "../../src/vision/faces.ts";

const sample = (name: string) => fileURLToPath(new URL(`../../data/samples/${name}`, import.meta.url));
const talk = (name: string) => fileURLToPath(new URL(`../../data/talks/${name}`, import.meta.url));
const UNIT = { valence: [-1, 1], arousal: [-1, 1] } as const;

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

  test("its labels are its truth", async () => {
    const { frames } = await readTruth(sample(`${script.name}.json`));
    const text = await readFile(sample(`${script.name}.labels.csv`), "utf8");
    expect(text).toBe(labelText(frames));
    const { people, boxed } = labelsIn("labels", text, UNIT);
    expect(boxed).toBe(true);
    for (const { name, points } of people) {
      const own = frames.flatMap(({ pts, faces }) =>
        faces.filter(({ identity }) => identity === name).map(({ valence, arousal }) => [pts, valence, arousal]),
      );
      expect(points.map(({ at, label }) => [at, label.valence, label.arousal])).toEqual(own);
    }
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

describe.each(TALKS)("$name", (one) => {
  const { name, person, plan } = one;

  test("its labels are what is drawn, of one person, whose face is in the frame", async () => {
    const text = await readFile(talk(`${name}.labels.csv`), "utf8");
    const clip = faceClip(plan);
    const landmarks = Array.from({ length: plan.frames }, (_, i) => clip.draw(i).landmarks);
    expect(text).toBe(talkLabels(one, clip, landmarks));
    const { people } = labelsIn(name, text, UNIT);
    expect(people.map((each) => [each.name, each.points.length])).toEqual([[person, plan.frames]]);
    for (const { box } of people[0]!.points) {
      expect(Math.min(box!.x, box!.y)).toBeGreaterThan(0);
      expect(box!.x + box!.width).toBeLessThan(plan.width);
      expect(box!.y + box!.height).toBeLessThan(plan.height);
    }
  });

  test("the clip's frames are those of its labels, and BlazeFace finds the face", async () => {
    const { people }: LabelFile = labelsIn(name, await readFile(talk(`${name}.labels.csv`), "utf8"), UNIT);
    const { points } = people[0]!;
    const decoding = decode(talk(`${name}.mp4`));
    const pts: number[] = [];
    const some: { image: Image; box: Box }[] = [];
    for await (const frame of decoding) {
      if (pts.length % 10 === 5) some.push({ image: frame.image, box: points[pts.length]!.box! });
      pts.push(frame.pts);
    }
    expect((await decoding.ending).verdict).toBe("complete");
    expect(pts).toEqual(points.map(({ at }) => at));
    const found = await detect(
      detector,
      some.map(({ image }) => image),
    );
    for (const [i, { box }] of some.entries())
      expect(found[i]!.some((face) => overlap(face.box, box) >= 0.5)).toBe(true);
  });
});

test("the talks are of ten people whose valence and arousal move", async () => {
  const spreads = TALKS.map(({ plan }) => {
    const { valence, arousal } = faceClip(plan).tracks;
    return [valence, arousal].map(({ label }) => Math.max(...label) - Math.min(...label));
  });
  expect(new Set(TALKS.map(({ plan }) => plan.actor)).size).toBe(10);
  for (const [valence, arousal] of spreads) expect(Math.min(valence!, arousal!)).toBeGreaterThan(0.3);
});

test("the samples show what they are for, and stay small", async () => {
  const truths = await Promise.all(SAMPLES.map(({ name }) => readTruth(sample(`${name}.json`))));
  const byName = Object.fromEntries(truths.map((truth) => [truth.clip, truth.frames]));
  expect(byName["two-faces"]!.every(({ faces }) => faces.length === 2)).toBe(true);
  const gaps = byName["cuts-and-gaps"]!;
  expect(gaps.filter(({ faces }) => faces.length === 0)).toHaveLength(25);
  expect(new Set(gaps.map(({ shot }) => shot)).size).toBe(3);
  const [samples, talks] = await Promise.all([readdir(sample(".")), readdir(talk("."))]);
  const files = [...samples.map(sample), ...talks.map(talk)];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(1.5e6);
  expect(samples.sort()).toEqual(
    SAMPLES.flatMap(({ name }) => [`${name}.json`, `${name}.labels.csv`, `${name}.mp4`]).sort(),
  );
  expect(talks.sort()).toEqual(TALKS.flatMap(({ name }) => [`${name}.labels.csv`, `${name}.mp4`]).sort());
});

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}
