/**
 * compile() side by side with the other ways to run the same networks, in one run on the same cores.
 *
 *     PYTHON=python3 npx tsx bench/compile.ts [seconds]
 *
 * BlazeFace (one frame at a time, one for each core, and batches of 8) and ANCLaF's G and D (pixels to Z and Q, preset paper, batch 16), by ONNX
 * Runtime through compile(), by tfjs-backend-wasm, by tfjs-backend-cpu (few iterations: it is slow), and G and D by
 * PyTorch in eager mode (`bench/compile.py`, other random weights), where PYTHON has torch. Rounds alternate between the
 * engines, and the best of each counts, so that a neighbour on the machine hurts none of them alone. Outputs must equal
 * tfjs-backend-cpu's within 1e-3 or the run fails.
 * What it does not show: GPUs, other processors, training, tracing time (printed, not compared), and PyTorch's compiled
 * modes. tfjs-backend-wasm runs with SIMD, and with as many threads as it can start in Node (how many is printed);
 * WASM_SIMD=0 takes its build without SIMD instead.
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { readTensor, tensorOf, withBackend } from "../src/compile/backends.ts";
import { type Compiled, compile, loadGraphModel, type Program, type Value } from "../src/compile/index.ts";
import { encoder } from "../src/systems/anclaf/encoder.ts";
import { loadAnclaf } from "../src/systems/anclaf/load.ts";
import { presets } from "../src/systems/anclaf/presets.ts";

const SECONDS = Number(process.argv[2] ?? 4);
const ROUNDS = 4;
const modules = (path: string) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

interface Subject {
  readonly name: string;
  readonly samples: number;
  readonly program: Program;
  readonly feeds: Record<string, Value>;
  /** Ratio to wasm that the project aims at. */
  readonly least: number;
}

wasm.setWasmPaths(modules("@tensorflow/tfjs-backend-wasm/dist/"));
wasm.setThreadsCount(availableParallelism());
if (process.env.WASM_SIMD === "0") tf.env().set("WASM_HAS_SIMD_SUPPORT", false);
await tf.setBackend("wasm");
await tf.ready();
const simd = await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT");

const blazeface = await loadGraphModel(modules("@vladmandic/human/models/blazeface.json"), { anyBatch: true });
const anclaf = await loadAnclaf({ preset: "paper" });
const subjects: Subject[] = [
  { name: "BlazeFace", samples: 1, least: 8, program: blazeface.program, feeds: { input: picture(1, 256) } },
  { name: "BlazeFace × 8", samples: 8, least: 8, program: blazeface.program, feeds: { input: picture(8, 256) } },
  {
    name: "ANCLaF G + D × 16",
    samples: 16,
    least: 6,
    program: encoder(anclaf.parameters, presets.paper, "onehot"),
    feeds: { pixels: bytes(16, 128) },
  },
];

console.log(
  `${availableParallelism()} cores, Node ${process.version}, wasm ${simd ? "with" : "without"} SIMD, ${wasm.getThreadsCount()} thread(s)\n`,
);
console.log("| | compile() samples/s | wasm | cpu | ratio to wasm | largest difference to cpu | first run, ms |");
console.log("|---|---|---|---|---|---|---|");
let failed = false;
for (const subject of subjects) {
  const compiled = compile(subject.program, { name: subject.name, engine: "onnx" });
  const started = performance.now();
  const result = await compiled.run(subject.feeds);
  const first = performance.now() - started;
  const cpuStarted = performance.now();
  const truth = await eager("cpu", subject);
  const cpu = (1000 * subject.samples) / (performance.now() - cpuStarted);
  const difference = worst(result, truth);
  let [ours, theirs] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    ours = Math.max(ours, await rate(subject.samples, () => compiled.run(subject.feeds)));
    theirs = Math.max(theirs, await rate(subject.samples, () => eager("wasm", subject)));
  }
  const ratio = ours / theirs;
  failed ||= !(difference <= 1e-3);
  console.log(
    `| ${subject.name} | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | ${cpu.toFixed(2)} | ${ratio.toFixed(1)} (aim ${subject.least}) | ${difference.toExponential(1)} | ${first.toFixed(0)} |`,
  );
  if (subject.samples === 1) await oneEach(subject, theirs);
  if (subject.feeds.pixels) await besidePytorch(compiled, subject);
  await compiled.dispose();
}
blazeface.dispose();
anclaf.dispose();
process.exitCode = failed ? 1 : 0;

/** As many frames under way as there are cores, each in a session of one thread: frames in all per second. */
async function oneEach(subject: Subject, theirs: number): Promise<void> {
  const { name, program, feeds } = subject;
  const pool = Array.from({ length: availableParallelism() }, () =>
    compile(program, { name, engine: "onnx", threads: 1 }),
  );
  const turns = 10;
  const ours = await rate(pool.length * turns, () =>
    Promise.all(
      pool.map(async (one) => {
        for (let turn = 0; turn < turns; turn++) await one.run(feeds);
      }),
    ),
  );
  await Promise.all(pool.map((one) => one.dispose()));
  console.log(
    `| ${name}, ${pool.length} sessions of one thread | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | | ${(ours / theirs).toFixed(1)} (aim ${subject.least}) | | |`,
  );
}

/** Rounds alternate here too. */
async function besidePytorch(compiled: Compiled, { samples, feeds }: Subject): Promise<void> {
  const python = process.env.PYTHON ?? "python3";
  const script = fileURLToPath(new URL("./compile.py", import.meta.url));
  let [ours, theirs] = [0, 0];
  let version = "";
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawnSync(python, [script, `${samples}`, `${SECONDS}`, `${availableParallelism()}`], {
      encoding: "utf8",
    });
    if (child.status !== 0) {
      console.log(`\nNo comparison with PyTorch: ${python} has no torch (set PYTHON).\n`);
      return;
    }
    const [best, , torch] = child.stdout.trim().split(" ");
    version = torch ?? "";
    theirs = Math.max(theirs, Number(best));
    ours = Math.max(ours, await rate(samples, () => compiled.run(feeds)));
  }
  console.log(
    `\nG + D beside PyTorch ${version} eager: ${ours.toFixed(1)} and ${theirs.toFixed(1)} samples/s, ratio ${(ours / theirs).toFixed(2)} (aim 1.3)`,
  );
}

/** Samples per second by the fastest single call within the time. */
async function rate(samples: number, run: () => Promise<unknown>): Promise<number> {
  await run();
  const end = performance.now() + SECONDS * 1000;
  let best = Number.POSITIVE_INFINITY;
  while (performance.now() < end) {
    const started = performance.now();
    await run();
    best = Math.min(best, performance.now() - started);
  }
  return (1000 * samples) / best;
}

async function eager(backend: string, { program, feeds }: Subject): Promise<Record<string, Value>> {
  const outputs = withBackend(backend, () =>
    tf.tidy(() => {
      const given = Object.entries(feeds).map(([name, value]) => [name, tensorOf(value)] as const);
      return program(Object.fromEntries(given));
    }),
  );
  const values: Record<string, Value> = {};
  for (const [name, tensor] of Object.entries(outputs)) values[name] = await readTensor(tensor);
  tf.dispose(outputs);
  return values;
}

/** Largest difference, relative where the reference exceeds 1. */
function worst(found: Record<string, Value>, truth: Record<string, Value>): number {
  let largest = 0;
  for (const [name, { data }] of Object.entries(truth))
    data.forEach((value, i) => {
      const difference = Math.abs(value - found[name]!.data[i]!) / Math.max(1, Math.abs(value));
      if (!(difference <= largest)) largest = difference;
    });
  return largest;
}

function picture(batch: number, side: number): Value {
  const { data, shape } = bytes(batch, side);
  return { data: Float32Array.from(data, (x) => x / 127.5 - 1), shape };
}

function bytes(batch: number, side: number): Value {
  const data = new Uint8Array(batch * side * side * 3);
  for (let i = 0; i < data.length; i++) data[i] = 128 + 100 * Math.sin(i * 0.011) + 20 * Math.sin(i * 1.7);
  return { data, shape: [batch, side, side, 3] };
}
