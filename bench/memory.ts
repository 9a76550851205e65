/**
 * Peak memory of `extract-latents` for a video of ten minutes against that for one of one minute.
 *
 *     npm run build && npx tsx bench/memory.ts [rounds]
 *
 * The frames of data/samples/one-face.mp4 (320 × 240, one face in each) go round at ten a second: 600 and 6,000 frames.
 * Preset small. Each run is a process of its own, in turns; the figure is the kernel's high-water mark of resident memory
 * with all threads, and its median over the rounds.
 * What it does not show: large frames (the queues between stages are bounded in bytes, so more of them is their own
 * size), several videos at once, or memory of an accelerator.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeMp4, type TimedImage } from "../src/datasets/synth/encode.ts";
import { decode } from "../src/media/index.ts";
import type { Image } from "../src/records.ts";
import { median } from "./median.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rounds = Number(process.argv[2] ?? 3);
const FPS = 10;

const folder = await mkdtemp(join(tmpdir(), "bench-memory-"));
try {
  const images: Image[] = [];
  for await (const { image } of decode(here("../data/samples/one-face.mp4"))) images.push(image);
  const peaks = new Map<number, number[]>([
    [1, []],
    [10, []],
  ]);
  for (const minutes of peaks.keys()) {
    const size = { width: images[0]!.width, height: images[0]!.height };
    await encodeMp4(video(minutes), rolling(images, minutes * 60 * FPS), { ...size, preset: "ultrafast" });
  }
  for (let round = 0; round < rounds; round++) for (const [minutes, found] of peaks) found.push(peak(video(minutes)));
  const [one, ten] = [median(peaks.get(1)!), median(peaks.get(10)!)];
  console.log(`| ${availableParallelism()} cores | peak MB, median | lowest | highest | this / 1 minute |`);
  console.log("|---|---|---|---|---|");
  for (const [minutes, found] of peaks)
    console.log(
      `| ${minutes} min | ${median(found).toFixed(0)} | ${Math.min(...found).toFixed(0)} | ${Math.max(...found).toFixed(0)} | ${(median(found) / one).toFixed(2)} |`,
    );
  console.log(`\nGoal ≤ 1.10: ${(ten / one).toFixed(3)}.`);
} finally {
  await rm(folder, { recursive: true });
}

function video(minutes: number): string {
  return join(folder, `${minutes}.mp4`);
}

async function* rolling(images: readonly Image[], frames: number): AsyncGenerator<TimedImage> {
  for (let i = 0; i < frames; i++) yield { pts: (i * 1e6) / FPS, image: images[i % images.length]! };
}

/** Megabytes. */
function peak(path: string): number {
  const job = JSON.stringify({ videos: [path], preset: "small", rounds: 1, only: "pipeline" });
  const out = execFileSync(process.execPath, [here("./extract-run.mjs"), job], { encoding: "utf8" });
  return JSON.parse(out).maxRss / 1000;
}
