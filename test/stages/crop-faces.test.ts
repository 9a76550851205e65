import { describe, expect, test } from "vitest";
import type { Crop, Frame, Image } from "../../src/records.ts";
import { type LooseContext, looseContext } from "../../src/stages/context.ts";
import cropBodies from "../../src/stages/crop-bodies.ts";
import cropFaces from "../../src/stages/crop-faces.ts";
import type { BoundStage } from "../../src/stages/define.ts";
import { hasMedia, media } from "../media.ts";
import { drawn, face } from "../vision/drawn.ts";

async function crops(
  stage: BoundStage<"frame", "crop">,
  images: readonly Image[],
  context: LooseContext = looseContext(),
): Promise<Crop[]> {
  async function* frames(): AsyncGenerator<Frame> {
    for (const [index, image] of images.entries()) yield { kind: "frame", index, pts: index * 40_000, image };
  }
  const rows: Crop[] = [];
  for await (const crop of stage.run(context)(frames())) rows.push(crop);
  return rows;
}

/** Two faces, of which the right one walks away, then comes back. */
async function clip(): Promise<Image[]> {
  const background = "#9fb4c8";
  return Promise.all(
    [0, 1, 2, 3, 4].map((t) => {
      const right = t === 2 || t === 3 ? "" : face(470 + 4 * t, 170, 60);
      return drawn(640, 360, face(180 + 5 * t, 180, 85) + right, background);
    }),
  );
}

test("drawn faces: tracked, cut, counted; the same bytes for every batch size", async () => {
  const images = await clip();
  await using context = looseContext();
  const rows = await crops(cropFaces({ batch: 1 }), images, context);
  expect(rows.map(({ index, track, status }) => [index, track, status])).toEqual([
    [0, 0, "ok"],
    [0, 1, "ok"],
    [1, 0, "ok"],
    [1, 1, "ok"],
    [2, 0, "ok"],
    [3, 0, "ok"],
    [4, 0, "ok"],
    [4, 1, "ok"],
  ]);
  expect(context.ledger.counts.extra).toBe(3);
  expect(Object.values(context.ledger.counts.rows).every((n) => n === 0)).toBe(true);
  expect(context.facts.detector).toMatchObject({ name: "blazeface", engine: { why: expect.any(String) } });
  for (const { image, frame, landmarks } of rows) {
    expect(image).toMatchObject({ width: 128, height: 128 });
    expect(frame).toEqual({ width: 640, height: 360 });
    expect(landmarks!.length).toBe(136);
  }
  for (const batch of [2, 3, 8]) expect(await crops(cropFaces({ batch }), images, context)).toEqual(rows);
});

test("a frame without a face gives a row; a small or a doubtful one is not cut", async () => {
  const images = [await drawn(200, 150, ""), await drawn(320, 240, face(160, 120, 40))];
  await using context = looseContext();
  const [none, small] = await crops(cropFaces({ minSize: 200, shotRatio: 1000 }), images, context);
  expect(none).toMatchObject({ status: "no_face", track: -1, box: null, score: 0, landmarks: null, image: null });
  expect(small).toMatchObject({ status: "too_small", track: 0, image: null });
  const [, doubtful] = await crops(cropFaces({ minScore: 1, lowScore: 0.3 }), images, context);
  expect(doubtful).toMatchObject({ status: "low_score", track: -1, image: null });
  expect(doubtful!.score).toBeGreaterThan(0.3);
});

test("frames of any size, even within one stream: one pixel, a thin strip, odd sides", async () => {
  const images = await Promise.all(
    [
      [1, 1],
      [3, 211],
      [331, 7],
      [333, 251],
    ].map(([width, height]) => drawn(width!, height!, width! > 300 && height! > 200 ? face(160, 125, 60) : "")),
  );
  await using context = looseContext();
  const rows = await crops(cropFaces({}), images, context);
  expect(rows.map(({ index, status }) => [index, status])).toEqual([
    [0, "no_face"],
    [1, "no_face"],
    [2, "no_face"],
    [3, "ok"],
  ]);
});

test("no frames, no rows", async () => {
  await using context = looseContext();
  expect(await crops(cropFaces({}), [], context)).toEqual([]);
  expect(await crops(cropBodies({}), [], context)).toEqual([]);
});

test("crop: landmarks follows the mesh, whose 68 points the rows carry", async () => {
  const images = [await drawn(640, 360, face(300, 180, 100))];
  await using context = looseContext();
  const [boxed] = await crops(cropFaces({ crop: "box" }), images, context);
  expect(boxed!.landmarks!.length).toBe(12);
  const [meshed] = await crops(cropFaces({ size: 96 }), images, context);
  expect(meshed).toMatchObject({ status: "ok", box: boxed!.box, image: { width: 96, height: 96 } });
  expect(meshed!.landmarks!.length).toBe(136);
  expect(context.facts.detector).toMatchObject({ landmarks: "facemesh" });
});

test("what only looks like a face is not cut: a weight, a drum", async () => {
  const rings = [
    [120, "#222"],
    [95, "#333"],
    [30, "#999"],
    [12, "#111"],
  ].map(([radius, fill]) => `<circle cx="320" cy="180" r="${radius}" fill="${fill}"/>`);
  const drum = `<ellipse cx="320" cy="160" rx="110" ry="120" fill="#e8d8c0"/>
    <circle cx="280" cy="130" r="14" fill="#333"/><circle cx="360" cy="130" r="14" fill="#333"/>`;
  const images = [await drawn(640, 360, rings.join("")), await drawn(640, 360, drum)];
  await using context = looseContext();
  for (const crop of ["box", "landmarks"] as const) {
    const rows = await crops(cropFaces({ crop }), images, context);
    expect(rows.map(({ status }) => status)).toEqual(["low_presence", "low_presence"]);
    for (const { presence, score, image, track } of rows) {
      expect(presence).toBeLessThan(0.05);
      expect(score).toBeGreaterThan(0.5);
      expect(track).toBeGreaterThanOrEqual(0);
      expect(image).toBeNull();
    }
  }
  const unasked = await crops(cropFaces({ crop: "box", minPresence: 0 }), images, context);
  expect(unasked.map(({ status, presence }) => [status, presence])).toEqual([
    ["ok", undefined],
    ["ok", undefined],
  ]);
  const [face1] = await crops(cropFaces({ minPresence: 0.9 }), [await drawn(640, 360, face(300, 180, 100))], context);
  expect(face1).toMatchObject({ status: "ok", presence: expect.any(Number) });
});

test("options: unknown and wrong ones are refused at once; what only changes speed is left out of the key", () => {
  expect(() => cropFaces({ scrop: "box" } as never)).toThrow(/scrop/);
  expect(() => cropFaces({ batch: 0 })).toThrow();
  expect(cropFaces.runtime).toEqual(["detector", "batch", "engine", "threads"]);
  for (const { shape } of [cropFaces.options, cropBodies.options])
    for (const [name, schema] of Object.entries(shape as Record<string, { description?: string }>))
      expect(schema.description, name).toBeTruthy();
});

test("the weights are part of the key: each network's digest by its role", async () => {
  const sha = expect.stringMatching(/^[0-9a-f]{64}$/);
  const faces = await cropFaces.models!(cropFaces.options.parse({}));
  const boxes = await cropFaces.models!(cropFaces.options.parse({ crop: "box", minPresence: 0 }));
  const bodies = await cropBodies.models!(cropBodies.options.parse({}));
  expect(boxes).toEqual({ detector: sha });
  expect(faces).toEqual({ ...boxes, facemesh: sha });
  expect(await cropFaces.models!(cropFaces.options.parse({ crop: "box" }))).toEqual(faces);
  expect(bodies).toEqual({ detector: sha });
  expect(bodies.detector).not.toBe(faces.detector);
});

describe.skipIf(!hasMedia)("real media", () => {
  test("bodies of five people, tracked and cut as faces are", async () => {
    const { readImage } = await import("../../src/media/images.ts");
    const image = await readImage(media("images", "pyfeat_multi_face.jpg"));
    await using context = looseContext();
    const rows = await crops(cropBodies({ minScore: 0.3, size: 64 }), [image, image], context);
    const perFrame = rows.length / 2;
    expect(perFrame).toBeGreaterThanOrEqual(5);
    expect(rows.map(({ track }) => track)).toEqual([0, 1].flatMap(() => Array.from({ length: perFrame }, (_, i) => i)));
    for (const { status, image, landmarks } of rows) {
      expect(status).toBe("ok");
      expect(image).toMatchObject({ width: 64, height: 64 });
      expect(landmarks).toBeNull();
    }
  });
});
