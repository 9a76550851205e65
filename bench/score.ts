/**
 * `pipe run score` whole (decode, detect, track, cut, predict, smooth, write Parquet and pages) against a bare loop of the
 * same calls that tracks, smooths and writes nothing, both with the frame model; two jobs against one; and peak memory for few videos against many.
 *
 *     npm run build && npx tsx bench/score.ts [rounds]
 *
 * Compiled code, a process of its own for each line; the contenders of the first table take turns in one, and a ratio is of one
 * round. Jobs run over twelve copies, opening of models included, since each process opens its own. Memory is the kernel's
 * high-water mark of the one process, at two frames a second. Aims: at least 0.95 of the bare loop; two jobs at least 1.8 of
 * one where the cores allow it: one job alone keeps more than one core busy, so two cores do not; memory flat.
 * What it does not show: accelerators, models of one's own, a cold disk, or how good the scores are.
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
  readonly faces: number;
}
interface Ran {
  readonly pipeline: Round[];
  readonly bare: Round[];
  /** KiB. */
  readonly maxRss: number;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rounds = Number(process.argv[2] ?? 5);
const real = here("../../shared/media/videos/pyfeat_single_face.mp4");
const drawn = here("../data/samples/two-faces.mp4");
const videos = existsSync(real) ? [real, drawn] : [drawn];

console.log(
  `${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}, median of ${rounds} rounds (and best)\n`,
);
await withCopies(videos, 3, (sets) => {
  console.log(
    "| score | frames | faces | frames/s | bare loop, frames/s | pipeline / bare loop |\n|---|---|---|---|---|---|",
  );
  for (const [video, copies] of sets) {
    const { pipeline, bare } = run({ videos: copies, rounds });
    const rate = ({ frames, wall }: Round) => frames / wall;
    const ratios = pipeline.map((round, i) => rate(round) / rate(bare[i]!));
    const cells = [
      pipeline[0]!.frames,
      pipeline[0]!.faces,
      shown(pipeline.map(rate)),
      shown(bare.map(rate)),
      shown(ratios, 2),
    ];
    console.log(`| ${[basename(video), ...cells].join(" | ")} |`);
  }
});
await withCopies([drawn], 12, (sets) => {
  const copies = sets[0]![1];
  const walls = { one: [] as number[], two: [] as number[] };
  for (let round = 0; round < rounds; round++)
    for (const [name, jobs] of [
      ["one", 1],
      ["two", 2],
    ] as const)
      walls[name].push(run({ videos: copies, rounds: 1, only: ["pipeline"], jobs, whole: true }).pipeline[0]!.wall);
  const ratios = walls.one.map((wall, i) => wall / walls.two[i]!);
  console.log(`\n| 12 videos, whole run | one job, s | two jobs, s | speed-up |\n|---|---|---|---|`);
  console.log(`| ${basename(drawn)} | ${shown(walls.one)} | ${shown(walls.two)} | ${shown(ratios, 2)} |`);
});
await withCopies([drawn], 60, (sets) => {
  const copies = sets[0]![1];
  const peak = (n: number) =>
    Array.from({ length: Math.min(3, rounds) }, () => {
      const job = { videos: copies.slice(0, n), rounds: 1, only: ["pipeline"], fps: 2 };
      return run(job).maxRss / 1024;
    });
  const [few, many] = [peak(6), peak(60)];
  console.log("\n| peak memory, MiB | 6 videos | 60 videos | 60 / 6 |\n|---|---|---|---|");
  console.log(`| score --fps 2 | ${shown(few)} | ${shown(many)} | ${(median(many) / median(few)).toFixed(2)} |`);
});

function run(job: object): Ran {
  const out = execFileSync(process.execPath, [here("./score-run.mjs"), JSON.stringify(job)], { encoding: "utf8" });
  return JSON.parse(out) as Ran;
}

/** Median, and the best: the largest. */
function shown(values: readonly number[], digits = 1): string {
  return `${median(values).toFixed(digits)} (${Math.max(...values).toFixed(digits)})`;
}

async function withCopies(
  originals: readonly string[],
  n: number,
  work: (sets: [video: string, copies: string[]][]) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bench-score-"));
  try {
    const sets: [string, string[]][] = [];
    for (const video of originals) {
      const own = await mkdtemp(join(folder, "copies-"));
      sets.push([video, await copiesOf(video, n, own)]);
    }
    work(sets);
  } finally {
    await rm(folder, { recursive: true });
  }
}
