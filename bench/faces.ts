/**
 * Decoding and face detection, frames per second, against @vladmandic/human.
 *
 *     npm run build && npx tsx bench/faces.ts [video]
 *
 * Ours: the file is decoded, every frame resized, detected, tracked and cut (`crop-faces` whole, its defaults).
 * Theirs: face detection alone, on frames that are decoded already, by its fastest backend that needs no download (wasm
 * with SIMD, one thread), once as it comes (it equalises the histogram of each frame first), once with filters off.
 * Each runs in a process of its own, in turns; the best is taken.
 * What it does not show: other resolutions, several videos at once, GPUs, or how good the boxes are.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const video = process.argv[2] ?? here("../../shared/media/videos/pyfeat_single_face.mp4");
const contestants = {
  "affect-pipe: decode + detect + track + cut": ["./faces-ours.mjs", video],
  "human, as it comes: detect alone": ["./faces-human.mjs", video, '{"enabled":true,"equalization":true}'],
  "human, filters off: detect alone": ["./faces-human.mjs", video, '{"enabled":false}'],
};

const best = new Map<string, { rate: number; faces: number }>();
for (let turn = 0; turn < 3; turn++)
  for (const [name, [script, ...args]] of Object.entries(contestants)) {
    const out = execFileSync(process.execPath, [here(script!), ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const result = JSON.parse(out.trim().split("\n").at(-1)!);
    if (result.rate > (best.get(name)?.rate ?? 0)) best.set(name, result);
  }
const ours = [...best.values()][0]!.rate;
console.log(`| ${availableParallelism()} cores | frames/s | faces found | ours / this |`);
console.log("|---|---|---|---|");
for (const [name, { rate, faces }] of best)
  console.log(`| ${name} | ${rate.toFixed(1)} | ${faces} | ${(ours / rate).toFixed(2)} |`);
