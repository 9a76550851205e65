/**
 * Drawing datasets of faces, frames per second, files and all.
 *
 *     npx tsx bench/synth.ts [frames]
 *
 * `pipe synth faces` in both layouts (PNG after a JPEG of it at 192×160; H.264 at 320×240), beside the plain way at
 * the smaller size: the renderer of the sample clips, which composes with sharp, and a PNG of each frame as sharp makes
 * it by itself. Each in turns, three rounds; the best is taken. CPU is of all threads, so cores ÷ CPU is what quiet cores
 * would give.
 * What it does not show: larger pictures, or a disk that is slower than drawing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { type ClipScript, steady } from "../src/datasets/synth/clip.ts";
import { synthFaces } from "../src/datasets/synth/faces.ts";
import { renderClip } from "../src/datasets/synth/render.ts";

const frames = Number(process.argv[2] ?? 200);
const folder = await mkdtemp(join(tmpdir(), "bench-synth-"));
const CLIPS = 2;
let made = 0;

const faces = (layout: "afew-va" | "sewa") => async () => {
  await synthFaces({ layout, clips: CLIPS, frames, output: join(folder, String(made++)) });
};

async function plain(): Promise<void> {
  for (let clip = 0; clip < CLIPS; clip++) {
    const actor = { identity: clip, path: [{ at: 0, x: 96, y: 78, width: 88 }] as const };
    const shots = [{ start: 0, background: clip, actors: [actor] }];
    const script: ClipScript = { name: "", seed: clip, width: 192, height: 160, times: steady(50, frames), shots };
    const writing: Promise<unknown>[] = [];
    for await (const { image, pts } of renderClip(script)) {
      const raw = { width: image.width, height: image.height, channels: 3 as const };
      writing.push(sharp(image.data, { raw }).toFile(join(folder, `${clip}-${pts}.png`)));
    }
    await Promise.all(writing);
  }
}

const contestants = { "synth faces, afew-va": faces("afew-va"), "synth faces, sewa": faces("sewa"), plain };
const best = new Map<string, { rate: number; cpu: number }>();
try {
  await faces("afew-va")();
  for (let round = 0; round < 3; round++)
    for (const [name, make] of Object.entries(contestants)) {
      const [started, before] = [performance.now(), process.cpuUsage()];
      await make();
      const { user, system } = process.cpuUsage(before);
      const total = CLIPS * frames;
      const rate = (1000 * total) / (performance.now() - started);
      const known = best.get(name);
      const cpu = Math.min(known?.cpu ?? Number.POSITIVE_INFINITY, (user + system) / 1000 / total);
      best.set(name, { rate: Math.max(known?.rate ?? 0, rate), cpu });
    }
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`| ${availableParallelism()} cores | frames/s | CPU ms a frame |`);
console.log("|---|---|---|");
for (const [name, { rate, cpu }] of best) console.log(`| ${name} | ${rate.toFixed(0)} | ${cpu.toFixed(2)} |`);
