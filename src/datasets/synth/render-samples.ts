/** `npm run samples`: draws the sample clips, with their labels and truth, into data/samples and data/talks. */
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SAMPLES } from "./samples.ts";
import { TALKS, writeTalk } from "./talks.ts";
import { writeClip } from "./write.ts";

const data = fileURLToPath(new URL("../../../data", import.meta.url));
const [samples, talks] = [join(data, "samples"), join(data, "talks")];
for (const folder of [samples, talks]) await mkdir(folder, { recursive: true });
const clips = [
  ...SAMPLES.map((script) => () => writeClip(script, samples)),
  ...TALKS.map((talk) => () => writeTalk(talk, talks, { concurrency: 2 * availableParallelism() })),
];
for (const draw of clips) {
  const started = performance.now();
  const { video, frames } = await draw();
  console.error(`${video}: ${frames} frames, ${Math.round((1000 * frames) / (performance.now() - started))} frames/s`);
}
console.log(data);
