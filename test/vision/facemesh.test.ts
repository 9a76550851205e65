import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readImage } from "../../src/media/images.ts";
import type { Image } from "../../src/records.ts";
import { openBlazeFace } from "../../src/vision/blazeface.ts";
import { anclafBox } from "../../src/vision/boxes.ts";
import { type Detection, detect } from "../../src/vision/detector.ts";
import { type FaceMesh, MESH_68, openFaceMesh } from "../../src/vision/facemesh.ts";
import { hasMedia, media } from "../media.ts";

test("68 different vertices of the mesh's 468", () => {
  expect(MESH_68.length).toBe(68);
  expect(new Set(MESH_68).size).toBe(68);
  for (const vertex of MESH_68) expect(vertex).toSatisfy((v: number) => Number.isInteger(v) && v >= 0 && v < 468);
});

describe.skipIf(!hasMedia)("on a portrait", () => {
  let mesh: FaceMesh;
  let image: Image;
  let face: Detection;
  let points: [x: number, y: number][];
  beforeAll(async () => {
    image = await readImage(media("images", "tfjs_portrait.jpg"));
    const detector = await openBlazeFace({ floor: 0.5 });
    face = (await detect(detector, [image]))[0]![0]!;
    await detector[Symbol.asyncDispose]();
    mesh = await openFaceMesh({});
    const [seen] = await mesh.look([await mesh.prepare(image, face.box)]);
    points = Array.from({ length: 68 }, (_, i) => [seen!.landmarks[2 * i]!, seen!.landmarks[2 * i + 1]!]);
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  const mean = (from: number, to: number) =>
    [0, 1].map((k) => points.slice(from, to).reduce((sum, p) => sum + p[k]!, 0) / (to - from)) as [number, number];

  test("eyes, nose and mouth are where the detector sees them", () => {
    const near = (a: readonly number[], i: number, most: number) =>
      expect(Math.hypot(a[0]! - face.landmarks![2 * i]!, a[1]! - face.landmarks![2 * i + 1]!)).toBeLessThan(most);
    const most = face.box.width / 12;
    near(mean(36, 42), 0, most);
    near(mean(42, 48), 1, most);
    near(points[30]!, 2, 2 * most);
    near(mean(48, 68), 3, most);
  });

  test("the order is iBUG's: left to right, top to bottom, mirrored about the nose", () => {
    const x = (i: number) => points[i]![0];
    const y = (i: number) => points[i]![1];
    for (let i = 1; i < 16; i++) expect(x(i + 1)).toBeGreaterThan(x(i) - 2);
    for (let i = 17; i < 26; i++) expect(x(i + 1)).toBeGreaterThan(x(i));
    for (let i = 27; i < 30; i++) expect(y(i + 1)).toBeGreaterThan(y(i));
    for (let i = 31; i < 35; i++) expect(x(i + 1)).toBeGreaterThan(x(i));
    expect(y(8)).toBe(Math.max(...points.map((p) => p[1])));
    const middle = x(27);
    const mirrored = [
      [0, 16],
      [2, 14],
      [4, 12],
      [7, 9],
      [17, 26],
      [21, 22],
      [31, 35],
      [36, 45],
      [39, 42],
      [48, 54],
      [60, 64],
      [50, 52],
      [56, 58],
      [61, 63],
      [65, 67],
    ] as const;
    // The face looks almost straight at the camera.
    for (const [a, b] of mirrored) {
      expect(Math.abs(x(a) + x(b) - 2 * middle)).toBeLessThan(0.15 * face.box.width);
      expect(Math.abs(y(a) - y(b))).toBeLessThan(0.1 * face.box.width);
    }
  });

  test("ANCLaF's box of the landmarks holds them all and little more", () => {
    const box = anclafBox(points.flat(), image)!;
    const [width, height] = [0, 1].map((k) => {
      const values = points.map((p) => p[k]!);
      return Math.max(...values) - Math.min(...values);
    }) as [number, number];
    expect(Math.abs(box.width - width * 1.25)).toBeLessThan(3);
    expect(Math.abs(box.height - height * 1.25)).toBeLessThan(3);
  });

  test("a face alone equals the same face among others", async () => {
    const squares = await Promise.all(
      [0, 8, -12].map((dx) => mesh.prepare(image, { ...face.box, x: face.box.x + dx })),
    );
    const together = await mesh.look(squares);
    for (const [i, square] of squares.entries()) expect((await mesh.look([square]))[0]).toEqual(together[i]);
    expect(await mesh.look([])).toEqual([]);
  });
});
