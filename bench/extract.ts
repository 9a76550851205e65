/**
 * `extract-latents` whole (decode, detect, track, cut, encode, write) against rivals made of the same calls: a bare loop
 * without streams and tracks that writes nothing, the same loop with the writing, and the steps one after the other over a
 * whole video. "dry" is the pipeline whose last stage lets the latents go: it is to the bare loop what the pipeline is to
 * the loop that writes.
 *
 *     npm run build && npx tsx bench/extract.ts [rounds] [preset] ['{"encode-latents":{"threads":1}}']
 *
 * The last argument changes options of the pipeline's stages. One process a video, compiled code; the contenders take turns,
 * and a ratio is of one round. A first copy of the video opens the models and compiles their graphs, the clock runs over two
 * more. CPU seconds are those of all threads. All but "sum", which needs its frames for longer, give frames back to the decoder.
 * What it does not show: models' opening, several videos at once (--jobs), accelerators, or a cold disk.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { copiesOf } from "./copies.ts";
import { median } from "./median.ts";

interface Round {
  readonly wall: number;
  readonly cpu: number;
  readonly frames: number;
  readonly crops: number;
  readonly stages: Readonly<Record<string, number>>;
  readonly shares: Readonly<Record<string, number>>;
}

const names = ["pipeline", "dry", "bare", "writing", "sum"] as const;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rounds = Number(process.argv[2] ?? 5);
const preset = process.argv[3] ?? "paper";
const set = JSON.parse(process.argv[4] ?? "{}");
const real = ["pyfeat_single_face.mp4", "facenet_video.mp4"].map((name) => here(`../../shared/media/videos/${name}`));
const videos = real.every((path) => existsSync(path)) ? real : [here("../data/samples/two-faces.mp4")];

for (const video of videos) {
  const folder = await mkdtemp(join(tmpdir(), "bench-extract-"));
  try {
    const before = loadavg()[0]!;
    const job = JSON.stringify({ videos: await copiesOf(video, 3, folder), preset, rounds, set });
    const out = execFileSync(process.execPath, [here("./extract-run.mjs"), job], { encoding: "utf8" });
    show(video, JSON.parse(out), before);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function show(video: string, found: Record<(typeof names)[number], Round[]>, load: number): void {
  const { pipeline } = found;
  const { frames, crops } = pipeline[0]!;
  console.log(
    `\n${basename(video)}, preset ${preset}, ${frames} frames, ${crops} faces; ${availableParallelism()} cores,`,
  );
  console.log(
    `load before ${load.toFixed(1)}, after ${loadavg()[0]!.toFixed(1)}; median of ${rounds} rounds (and least)\n`,
  );
  console.log(
    "| | frames/s | wall ms a frame | CPU ms a frame | pipeline / this: wall | CPU | dry / this: wall | CPU |\n|---|---|---|---|---|---|---|---|",
  );
  for (const name of names) {
    const a = (what: "wall" | "cpu") => {
      const values = found[name].map((round) => (round[what] * 1000) / frames);
      return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)})`;
    };
    const ratio = (of: "pipeline" | "dry", what: "wall" | "cpu") => {
      const ratios = found[of].map((round, i) => round[what] / found[name][i]![what]);
      const least = Math.min(...found[of].map((round) => round[what])) / Math.min(...found[name].map((r) => r[what]));
      return `${median(ratios).toFixed(2)} (${least.toFixed(2)})`;
    };
    const rate = median(found[name].map(({ wall }) => frames / wall)).toFixed(1);
    const ratios = (["pipeline", "dry"] as const).flatMap((of) => [ratio(of, "wall"), ratio(of, "cpu")]);
    console.log(`| ${[name, rate, a("wall"), a("cpu"), ...ratios].join(" | ")} |`);
  }
  const split = (parts: readonly Readonly<Record<string, number>>[]) =>
    Object.keys(parts[0]!)
      .map((name) => `${name} ${median(parts.map((part) => ((part[name] ?? 0) * 1000) / frames)).toFixed(1)}`)
      .join(", ");
  console.log(`\nms a frame inside each stage, which overlap: ${split(pipeline.map(({ stages }) => stages))};`);
  console.log(`one after the other: ${split(found.sum.map(({ shares }) => shares))}.`);
}
