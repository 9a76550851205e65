/**
 * Training steps of the second stage, as `train-seq` makes them, beside PyTorch's eager mode in one run on the same cores;
 * and how long a training waits for its data.
 *
 *     PYTHON=python3 npx tsx bench/train-seq.ts [rounds] [subject …]     subjects: sa-32 sa-128 sa-500 zq data
 *
 * Windows of 8 frames at the paper's sizes; forward, affect loss with weights over all frames that are there, backward, Adam
 * of betas 0.5 and 0.999. `sa-B` is C-SA on kept features (1024) in batches of B windows, `zq` all of C-SA on latents ZQ
 * (68×32×32) in batches of ZQ_BATCH windows (4 if not told otherwise). PyTorch (`bench/train-seq.py`) loops over
 * nn.LSTMCell with the same attention and loss, and does not compute the gradients' norms, which ours logs. Rounds
 * alternate; the shortest step of all counts, and beside it the CPU time of a step (mean of the best round), which other work
 * on the machine disturbs less: THREADS=1 makes that fair, since threads that wait for one another burn CPU time too. Ours
 * includes handing the batch to the thread that computes; PyTorch's lies ready in memory.
 *
 * `data`: a training of 40 iterations through `fit`, from a cache of float16 entries that is written first; printed is what
 * timing.jsonl says of the last 30: the share of the time in which the loop waited for a batch.
 * What it does not show: GPUs, PyTorch's compiled modes and data loaders, a cold disk (files are in the page cache).
 */

import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openWindowReader } from "../src/cache/window-reader.ts";
import { windowsOf } from "../src/cache/windows.ts";
import { LatentWriter } from "../src/cache/writer.ts";
import { compileSteps, type Value } from "../src/compile/index.ts";
import { digestOf } from "../src/digest.ts";
import { Ledger } from "../src/ledger.ts";
import { startState, stepProgram } from "../src/nn/fit/programs.ts";
import { initialise } from "../src/nn/init.ts";
import { sizeOf } from "../src/nn/weights.ts";
import { seeded } from "../src/random.ts";
import type { Window } from "../src/records.ts";
import { type SequenceInput, sequenceInput } from "../src/systems/anclaf/sequence-input.ts";
import { stage2 } from "../src/systems/anclaf/stage2.ts";
import { trainSequence } from "../src/systems/anclaf/train-sequence.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const wanted = process.argv.length > 3 ? process.argv.slice(3) : ["sa-32", "sa-128", "sa-500", "zq", "data"];
const THREADS = Number(process.env.THREADS ?? availableParallelism());
const ZQ_BATCH = Number(process.env.ZQ_BATCH ?? 4);
const N = 8;
const python = process.env.PYTHON ?? "python3";
const script = fileURLToPath(new URL("./train-seq.py", import.meta.url));

console.log(`${THREADS} thread(s) of ${availableParallelism()}, Node ${process.version}\n`);
const subjects = wanted.filter((name) => name !== "data");
if (subjects.length > 0) {
  console.log("| step | ours, ms | PyTorch, ms | ratio | ours, CPU ms | PyTorch, CPU ms | ratio |");
  console.log("|---|---|---|---|---|---|---|");
}
for (const name of subjects) await besidePytorch(name);
if (wanted.includes("data")) await waiting();

async function besidePytorch(name: string): Promise<void> {
  const [shape, batch] = name === "zq" ? [[68, 32, 32], ZQ_BATCH] : [[1024], Number(name.slice("sa-".length))];
  const never = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
  const [ours, theirs] = [{ ...never }, { ...never }];
  const steps = name === "zq" ? 4 : Math.max(4, Math.ceil(600 / batch));
  const { step, dispose } = prepared(sequenceInput(shape), shape, batch);
  await step();
  await step();
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < steps; i++) {
      const started = performance.now();
      await step();
      ours.wall = Math.min(ours.wall, performance.now() - started);
    }
    const { user, system } = process.cpuUsage(before);
    ours.cpu = Math.min(ours.cpu, (user + system) / 1000 / steps);
    const given = [script, name === "zq" ? "zq" : "sa", `${batch}`, `${steps}`, `${THREADS}`];
    const child = spawnSync(python, given, { encoding: "utf8" });
    if (child.status !== 0) throw new Error(`${python} has no torch (set PYTHON):\n${child.stderr}`);
    const [wall, cpu] = child.stdout.split(" ").map(Number);
    theirs.wall = Math.min(theirs.wall, wall!);
    theirs.cpu = Math.min(theirs.cpu, cpu!);
  }
  await dispose();
  const [wall, cpu] = [theirs.wall / ours.wall, theirs.cpu / ours.cpu].map((ratio) => ratio.toFixed(2));
  const [a, b, c, d] = [ours.wall, theirs.wall, ours.cpu, theirs.cpu].map((ms) => ms.toFixed(1));
  console.log(`| ${name}, batch ${batch} | ${a} | ${b} | ${wall} | ${c} | ${d} | ${cpu} |`);
}

function prepared(input: SequenceInput, shape: readonly number[], batch: number) {
  const model = stage2({ variant: "sa", input, n: N, iterations: 1000 });
  const start = startState(model, { combiner: initialise(model.parts.combiner, 1) });
  const programs = { train: stepProgram(model.phases[0]!, model.parts) };
  const steps = compileSteps(programs, { name: "train-seq", engine: "onnx", threads: THREADS, state: start });
  const feeds: Record<string, Value> = {
    values: numbers([batch, N, ...shape]),
    present: { data: new Uint8Array(batch * N).fill(1), shape: [batch, N] },
    labels: numbers([batch, N, 2]),
    weights: { data: new Float32Array(batch * N * 2).fill(1), shape: [batch, N, 2] },
  };
  return { step: () => steps.run("train", feeds), dispose: () => steps.dispose() };
}

function numbers(shape: number[]): Value {
  return { data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 12.9898)), shape };
}

async function waiting(): Promise<void> {
  console.log("\n| training from a cache | windows in a batch | windows a second | waits for data |");
  console.log("|---|---|---|---|");
  for (const [shape, frames] of [
    [[256], 512],
    [[1024], 1024],
    [[1024], 4000],
    [[68, 16, 16], 128],
  ] as const) {
    const root = await mkdtemp(join(tmpdir(), "bench-train-seq-"));
    try {
      await waitingOn(root, shape, frames);
    } finally {
      await rm(root, { recursive: true });
    }
  }
}

async function waitingOn(root: string, shape: readonly number[], frames: number): Promise<void> {
  const folder = await write(join(root, "cache"), shape, 2048);
  const rows = Array.from({ length: 2048 }, (_, index) => ({
    index,
    pts: index * 40_000,
    track: 0,
    shot: 0,
    label: { valence: Math.sin(index), arousal: Math.cos(index) },
    place: { folder, row: index },
  }));
  const of = { source: "bench", clip: null, folder, shape };
  const windows: Window[] = [...windowsOf(rows, of, { lengths: { n: [N] }, gap: 200 })];
  await using reader = await openWindowReader();
  await trainSequence({
    name: "bench",
    folder: join(root, "run"),
    variant: "sa",
    input: sequenceInput(shape),
    n: N,
    iterations: 40,
    frames,
    training: windows,
    validation: windows.slice(0, 4),
    reader,
    scale: { unit: (label) => label, weight: () => 1 },
    data: null,
    seed: 1,
    validateEvery: 40,
    engine: "onnx",
    threads: THREADS,
  });
  const lines = (await readFile(join(root, "run", "timing.jsonl"), "utf8")).trimEnd().split("\n").slice(-3);
  const timings = lines.map((line) => JSON.parse(line) as { seconds: number; samples: number; dataWait: number });
  const sum = (of: (one: (typeof timings)[number]) => number) => timings.reduce((total, one) => total + of(one), 0);
  const seconds = sum((one) => one.seconds);
  const waited = sum((one) => one.dataWait * one.seconds) / seconds;
  const speed = sum((one) => one.samples) / seconds;
  console.log(`| [${shape}] | ${Math.floor(frames / N)} | ${speed.toFixed(0)} | ${(100 * waited).toFixed(1)} % |`);
}

async function write(output: string, shape: readonly number[], rows: number): Promise<string> {
  const digest = digestOf("bench");
  const ledger = new Ledger();
  const key = digestOf(["bench", [...shape]]);
  const source = { name: "bench", bytes: 1, digest };
  await using writer = await LatentWriter.open({ output, source, key, keyParts: {}, facts: {} });
  const random = seeded(1);
  const z = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
  for (let index = 0; index < rows; index++) {
    for (const name of ["demuxed", "decoded", "sampled"] as const) ledger.add(name);
    ledger.row("ok");
    await writer.append({
      kind: "latent",
      index,
      pts: index * 40_000,
      status: "ok",
      track: 0,
      shot: 0,
      box: null,
      score: 1,
      landmarks: null,
      z,
      shape,
      q: null,
    });
  }
  const { path } = await writer.publish({ verdict: "complete", counts: ledger.counts });
  return path;
}
