// What the rivals of pipelines are made of, for the benchmarks that run compiled code.

import { grownBox } from "../dist/vision/boxes.js";
import { resample } from "../dist/vision/resample.js";

/** Prepared, detected and cut as `crop-faces` does by default, without tracks. */
export async function facesOf(detector, images) {
  const prepared = await Promise.all(images.map((image) => detector.prepare(image)));
  const found = await detector.infer(prepared);
  const cuts = images.flatMap((image, i) =>
    found[i]
      .filter(({ score, box }) => score >= 0.5 && Math.min(box.width, box.height) >= 20)
      .map(({ box }) => resample(image, grownBox(box, 0.125, image), { width: 128, height: 128 })),
  );
  return Promise.all(cuts);
}

/** Wall and CPU seconds (of all threads) since the first `start`. */
export function newClock() {
  let from;
  return {
    start() {
      from ??= { wall: performance.now(), cpu: process.cpuUsage() };
    },
    stop() {
      const { user, system } = process.cpuUsage(from.cpu);
      return { wall: (performance.now() - from.wall) / 1000, cpu: (user + system) / 1e6 };
    },
  };
}
