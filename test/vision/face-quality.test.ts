import sharp from "sharp";
import { expect, it } from "vitest";
import type { Image } from "../../src/records.ts";
import { blurOf, faceQuality, yawOf } from "../../src/vision/face-quality.ts";

/** A head of 3-D points seen from afar, turned by `yaw`, nodded by `pitch` and leaning by `roll`, degrees. */
function seen(points: readonly (readonly number[])[], yaw: number, pitch = 0, roll = 0): number[] {
  const [y, p, r] = [yaw, pitch, roll].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number];
  return points.flatMap(([px, py, pz]) => {
    const [x1, z1] = [px! * Math.cos(y) + pz! * Math.sin(y), -px! * Math.sin(y) + pz! * Math.cos(y)];
    const y1 = py! * Math.cos(p) - z1 * Math.sin(p);
    return [200 + x1 * Math.cos(r) - y1 * Math.sin(r), 90 + x1 * Math.sin(r) + y1 * Math.cos(r)];
  });
}
/** Millimetres: eyes, nose tip, mouth corners; x to the image's right, y down, z to the viewer. */
const HEAD = [
  [-31.5, 0, 0],
  [31.5, 0, 0],
  [0, 30, 27],
  [-25, 60, 5],
  [25, 60, 5],
];

it("yaw is that of a turned head, leaning or not", () => {
  for (const yaw of [-50, -20, 0, 7, 35])
    for (const roll of [0, -30, 80]) expect(yawOf(seen(HEAD, yaw, 0, roll))).toBeCloseTo(yaw, 6);
  expect(Math.abs(yawOf(seen(HEAD, 20, 10))! - 20)).toBeLessThan(5);
});

it("yaw is read from 68 points, and unknown for others and for eyes in one point", () => {
  const points = Array.from({ length: 68 }, () => [0, 0, 0]);
  for (let i = 36; i < 42; i++) points[i] = [-31.5 + (i % 3) - 1, 0, 0];
  for (let i = 42; i < 48; i++) points[i] = [31.5 + (i % 3) - 1, 0, 0];
  points[30] = [0, 25, 27];
  expect(yawOf(seen(points, -15))).toBeCloseTo(-15, 6);
  expect(yawOf(new Float32Array(14))).toBeNull();
  expect(yawOf(new Float32Array(10))).toBeNull();
});

it("blur is the variance of the Laplacian, falls when a picture is blurred, and is 0 for a plain one", async () => {
  const [width, height] = [7, 5];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 89) % 251);
  const light = (x: number, y: number) =>
    [0.299, 0.587, 0.114].reduce((sum, w, c) => sum + w * data[(y * width + x) * 3 + c]!, 0);
  const values: number[] = [];
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++)
      values.push(light(x - 1, y) + light(x + 1, y) + light(x, y - 1) + light(x, y + 1) - 4 * light(x, y));
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  const image: Image = { width, height, data };
  expect(blurOf(image) / variance).toBeCloseTo(1, 4);
  const soft = await sharp(data, { raw: { width, height, channels: 3 } })
    .blur(1.5)
    .raw()
    .toBuffer();
  expect(blurOf({ width, height, data: soft })).toBeLessThan(variance / 2);
  expect(blurOf({ width: 4, height: 4, data: new Uint8Array(48).fill(70) })).toBeCloseTo(0, 6);
  expect(blurOf({ width: 1, height: 1, data: new Uint8Array(3) })).toBe(0);
  expect(faceQuality({ x: 0, y: 0, width: 30, height: 20 }, null, image)).toMatchObject({ size: 20, yaw: null });
});
