/**
 * What caching saves: an epoch of C-S over the drawn talkers (data/talks, windows of 8 frames) when each epoch decodes,
 * finds faces, crops and encodes again, as a training from images does, against one that reads cached latents ZQ, and one that
 * reads the frozen encoder's cached features. The paper reports 1 : 4 for latents (ANCLaF §3.1).
 *
 *     npm run build && npx tsx bench/epoch.ts [rounds]
 *
 * All by `pipe run` on preset small. From images = extraction + the step on latents, for that training would need it, too.
 * Extraction is ten talkers less one, so that opening models does not count; writing does. A step is one of the fastest ten
 * in a row of a training; rounds take turns and the best of each counts, so that other work disturbs least. The features are
 * made once, which is printed beside.
 * What it does not show: the paper's sizes, whose G and D cost 20 times as much; GPUs; a cold disk; data loaders that overlap.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const rounds = Number(process.argv[2] ?? 3);
const BATCH = 512;
const place = await mkdtemp(join(tmpdir(), "bench-epoch-"));
const talks = join(root, "data/talks");
const one = join(talks, "talk-01.mp4");
/** Seconds for 1,000 frames. */
const best = { extract: Number.POSITIVE_INFINITY, encode: Number.POSITIVE_INFINITY, latents: 0, features: 0 };

console.log(`${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}, best of ${rounds} rounds\n`);
try {
  for (let round = 0; round < rounds; round++) {
    const at = (name: string) => join(place, `${name}-${round}`);
    const extracted = [await pipe(at("one"), "extract-latents", one), await pipe(at("all"), "extract-latents", talks)];
    const encoded = [
      await pipe(at("one-features"), "extract-features", at("one")),
      await pipe(at("all-features"), "extract-features", at("all")),
    ];
    best.extract = Math.min(best.extract, marginal(extracted));
    best.encode = Math.min(best.encode, marginal(encoded));
    best.latents = Math.max(best.latents, await framesPerSecond(at("all"), 20));
    best.features = Math.max(best.features, await framesPerSecond(at("all-features"), 200));
  }
} finally {
  await rm(place, { recursive: true });
}

const [latents, features] = [1000 / best.latents, 1000 / best.features];
const row = (name: string, seconds: number) =>
  `| ${name} | ${seconds.toFixed(2)} | ${((best.extract + latents) / seconds).toFixed(1)} |`;
console.log("| an epoch from | seconds for 1,000 frames | images / it |\n|---|---|---|");
console.log(row("images", best.extract + latents));
console.log(row("cached latents", latents));
console.log(row("cached features", features));
console.log(`\nextraction once ${best.extract.toFixed(1)} s, features once ${best.encode.toFixed(1)} s`);

interface Ran {
  readonly seconds: number;
  readonly rows: number;
}

function marginal([few, many]: readonly Ran[]): number {
  return (1000 * (many!.seconds - few!.seconds)) / (many!.rows - few!.rows);
}

/** Runs a pipeline into a folder; how long it took, and how many faces it wrote. */
async function pipe(output: string, name: string, input: string, ...more: string[]): Promise<Ran> {
  const cli = join(root, "dist/cli/main.js");
  const given = ["run", name, "--input", input, "--output", output, "--progress", "none", ...more];
  execFileSync(process.execPath, [cli, ...given], { cwd: root, stdio: "ignore" });
  const { seconds, totals } = JSON.parse(await readFile(join(output, "report.json"), "utf8")) as {
    seconds: number;
    totals: { counts: { rows: { ok: number } } };
  };
  return { seconds, rows: totals.counts.rows.ok };
}

/** Of the fastest ten steps of a training. */
async function framesPerSecond(input: string, steps: number): Promise<number> {
  const output = `${input}-training`;
  const size = ["--n", "8", "--model", "anclaf-s", "--curriculum", "8", "--steps", `${steps}`];
  await pipe(output, "train-seq", input, ...size, "--set", `train-seq.batchFrames=${BATCH}`);
  const [fold] = (await readdir(output)).filter((name) => name.startsWith("fold-"));
  const lines = (await readFile(join(output, fold!, "anclaf-s-8", "timing.jsonl"), "utf8")).trim().split("\n");
  const fastest = Math.min(...lines.map((line) => (JSON.parse(line) as { seconds: number }).seconds));
  return (10 * BATCH) / fastest;
}
