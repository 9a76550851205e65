/** `npm run samples`: renders the sample clips and their truth into data/samples. */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SAMPLES } from "./samples.ts";
import { writeClip } from "./write.ts";

const folder = fileURLToPath(new URL("../../../data/samples", import.meta.url));
await mkdir(folder, { recursive: true });
for (const script of SAMPLES) {
  const started = performance.now();
  const { video, frames } = await writeClip(script, folder);
  console.error(`${video}: ${frames} frames, ${Math.round((1000 * frames) / (performance.now() - started))} frames/s`);
}
console.log(folder);
