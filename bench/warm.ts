/**
 * A second `pipe run extract-latents` over 200 videos that are cached already, against `pipe list`.
 *
 *     npm run build && npx tsx bench/warm.ts [videos]
 *
 * The videos are data/samples/one-face.mp4 with different bytes at the end, at one frame a second, preset small. The first
 * run fills the cache; then both commands are typed in turns, five times, each in a process of its own. That nothing was
 * decoded is read from report.json: every item `cached`, no stage with a second to its name.
 * What it does not show: a cold disk, or a cache on a network.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "../src/pipelines/report.ts";
import { copiesOf } from "./copies.ts";
import { median } from "./median.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const videos = Number(process.argv[2] ?? 200);

const folder = await mkdtemp(join(tmpdir(), "bench-warm-"));
try {
  const [input, output] = [join(folder, "in"), join(folder, "out")];
  await mkdir(input);
  await copiesOf(here("../data/samples/one-face.mp4"), videos, input);
  const extract = ["run", "extract-latents", "--input", input, "--output", output];
  extract.push("--fps", "1", "--preset", "small", "--progress", "none");

  const cold = pipe(extract);
  const first = await report(output);
  if (first.totals.done !== videos) throw new Error(`only ${first.totals.done} of ${videos} were done`);
  const [warm, list]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < 5; turn++) {
    warm.push(pipe(extract));
    const { items } = await report(output);
    if (items.some(({ status, stages }) => status !== "cached" || Object.keys(stages).length > 0))
      throw new Error("a warm run worked on something");
    list.push(pipe(["list"]));
  }
  console.log(`| ${availableParallelism()} cores, ${videos} videos | seconds, median |`);
  console.log("|---|---|");
  for (const [name, found] of Object.entries({ "first run": [cold], "warm run": warm, "pipe list": list }))
    console.log(`| ${name} | ${median(found).toFixed(2)} |`);
  console.log(`\nGoal < 2 s more than pipe list: ${(median(warm) - median(list)).toFixed(2)} s more.`);
} finally {
  await rm(folder, { recursive: true });
}

/** Seconds that a command took. */
function pipe(args: readonly string[]): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [here("../dist/cli/main.js"), ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`pipe ${args.join(" ")} ended with ${status}: ${stderr}`);
  return (performance.now() - from) / 1000;
}

async function report(output: string): Promise<Report> {
  return JSON.parse(await readFile(join(output, "report.json"), "utf8")) as Report;
}
