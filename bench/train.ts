/**
 * Whole training steps through compileSteps() beside PyTorch in eager mode, in one run on the same cores; their forward part
 * beside tfjs-backend-wasm, and all of them beside tfjs-backend-cpu.
 *
 *     PYTHON=python3 npx tsx bench/train.ts [seconds] [subject …]     subjects: small d g dg forward cpu memory
 *
 * The figures for RESULTS.md, on cores that nobody else uses: `PYTHON=… npx tsx bench/train.ts 8 d g dg forward cpu`.
 *
 * `small`: two convolutions and two dense layers, batch 32. All others: ANCLaF, preset paper, batch 16, as `train-anclaf`
 * trains it, Adam included: `d`, the discriminator's step with gradient penalty; `g`, generator and combiner in one backward
 * pass, since the affect loss reaches the generator through Z; `dg`, one after the other: the sum of all three parts.
 * PyTorch (`bench/train.py`) has the same networks and losses and other random weights; it does not compute the gradients'
 * norms, which ours logs. Each is measured by the clock on all cores, and by CPU time on one thread, which says more where
 * others use the cores too. Rounds alternate between the two sides, and the best step of each counts.
 *
 * `forward`: the losses of `g` and no gradient, beside tfjs-backend-wasm with SIMD and as many threads as it can start;
 * outputs must agree within 1e-3. `cpu`: `dg` beside tfjs-backend-cpu, once and with a batch of CPU_BATCH (2 if not told
 * otherwise) on both sides, since it takes minutes: ours gains by more samples. `memory`: 10,000 tiny steps; the process's memory and
 * the number of tensors after each 2,000. The first step's losses of `small` must equal tfjs-backend-cpu's.
 * What it does not show: GPUs, other processors, PyTorch's compiled modes, and making the batches.
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { readTensor, tensorOf, withBackend } from "../src/compile/backends.ts";
import { compileSteps, type Steps, type Value } from "../src/compile/index.ts";
import { presets } from "../src/systems/anclaf/presets.ts";
import { anclaf, type Subject, small } from "./train-programs.ts";

const SECONDS = Number(process.argv[2] ?? 8);
const ROUNDS = 3;
const CORES = availableParallelism();
const BATCH = 16;
const CPU_BATCH = Number(process.env.CPU_BATCH ?? 2);

interface Cost {
  readonly wall: number;
  readonly cpu: number;
}
const never: Cost = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
type Step = () => Promise<unknown>;

const wanted = process.argv.length > 3 ? process.argv.slice(3) : ["small", "d", "g", "dg", "forward", "memory"];
const ofPytorch = wanted.filter((name) => ["small", "d", "g", "dg"].includes(name));

console.log(`${CORES} cores, Node ${process.version}`);
if (ofPytorch.length > 0) {
  console.log(
    `\n| step | ms by the clock, ${CORES} threads | PyTorch | ratio | CPU ms, one thread | PyTorch | ratio | first step, ms |`,
  );
  console.log("|---|---|---|---|---|---|---|---|");
}
for (const name of ofPytorch) await besidePytorch(name);
if (wanted.includes("forward")) await besideWasm();
if (wanted.includes("cpu")) await besideCpu();
if (wanted.includes("memory")) await memory();

async function besidePytorch(name: string): Promise<void> {
  const subject = name === "small" ? small(32) : anclaf(presets.paper, BATCH);
  await using all = open(subject, CORES);
  await using one = open(subject, 1);
  const programs = name === "small" ? ["train"] : [...name];
  const step = (steps: Steps<string>) => async () => {
    for (const program of programs) await steps.run(program, subject.feeds[program]!);
  };
  const started = performance.now();
  await step(all)();
  const opening = performance.now() - started;
  if (name === "small") await checkSmall(subject);
  const ours = { all: never, one: never };
  const theirs = { all: never, one: never };
  let version: string | null = null;
  for (let round = 0; round < ROUNDS; round++)
    for (const [kind, steps, threads] of [
      ["all", all, CORES],
      ["one", one, 1],
    ] as const) {
      ours[kind] = least(ours[kind], await best(step(steps)));
      const told = pytorch(name, name === "small" ? 32 : BATCH, threads);
      if (!told) continue;
      theirs[kind] = least(theirs[kind], told.cost);
      version = told.version;
    }
  const cells = (mine: number, other: number) =>
    version === null
      ? `${mine.toFixed(1)} | not here | `
      : `${mine.toFixed(1)} | ${other.toFixed(1)} | ${(other / mine).toFixed(2)}`;
  console.log(
    `| ${subject.name}, ${programs.join(" + ")}, PyTorch ${version ?? "none"} | ${cells(ours.all.wall, theirs.all.wall)} | ${cells(ours.one.cpu, theirs.one.cpu)} | ${opening.toFixed(0)} |`,
  );
}

async function checkSmall(subject: Subject): Promise<void> {
  await using onnx = open(subject, 1);
  await using js = compileSteps(subject.programs, { name: subject.name, engine: "js", state: subject.state });
  const [found, truth] = [await onnx.run("train", subject.feeds.train!), await js.run("train", subject.feeds.train!)];
  const [a, b] = [found.total!.data[0]!, truth.total!.data[0]!];
  if (!(Math.abs(a - b) <= 1e-4 * Math.abs(b))) throw new Error("the engines disagree");
}

async function besideWasm(): Promise<void> {
  const modules = fileURLToPath(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url));
  wasm.setWasmPaths(modules);
  wasm.setThreadsCount(CORES);
  await tf.setBackend("wasm");
  await tf.ready();
  const subject = anclaf(presets.paper, BATCH);
  const feeds = subject.feeds.forward!;
  await using steps = open(subject, CORES);
  const eager = async () => {
    const outputs = withBackend("wasm", () =>
      tf.tidy(() => subject.programs.forward!(tensorsOf(feeds), tensorsOf(subject.state)).outputs),
    );
    const entries = Object.entries(outputs).map(async ([name, tensor]) => [name, await readTensor(tensor)] as const);
    const values = Object.fromEntries(await Promise.all(entries));
    tf.dispose(outputs);
    return values;
  };
  const [found, truth] = [await steps.run("forward", feeds), await eager()];
  for (const [name, { data }] of Object.entries(truth)) {
    const difference = Math.abs(found[name]!.data[0]! - data[0]!);
    if (!(difference <= 1e-3 * Math.max(1, Math.abs(data[0]!)))) throw new Error(`${name} is off by ${difference}`);
  }
  let [ours, theirs] = [never, never];
  for (let round = 0; round < ROUNDS; round++) {
    ours = least(ours, await best(() => steps.run("forward", feeds)));
    theirs = least(theirs, await best(eager));
  }
  console.log(
    `\nForward part of g, batch ${BATCH}: ${ours.wall.toFixed(1)} ms; tfjs-backend-wasm, ${wasm.getThreadsCount()} thread(s): ` +
      `${theirs.wall.toFixed(1)} ms; ratio ${(theirs.wall / ours.wall).toFixed(1)} by the clock (aim 6), ${(theirs.cpu / ours.cpu).toFixed(1)} by CPU time`,
  );
}

async function besideCpu(): Promise<void> {
  const subject = anclaf(presets.paper, CPU_BATCH);
  const both = (steps: Steps<string>) => async () => {
    for (const program of ["d", "g"]) await steps.run(program, subject.feeds[program]!);
  };
  await using onnx = open(subject, CORES);
  await using js = compileSteps(subject.programs, { name: subject.name, engine: "js", state: subject.state });
  const ours = await best(both(onnx));
  const theirs = await costOf(both(js));
  console.log(
    `\nd + g, batch ${CPU_BATCH}: ${ours.wall.toFixed(1)} ms; tfjs-backend-cpu, once: ${theirs.wall.toFixed(0)} ms; ` +
      `ratio ${(theirs.wall / ours.wall).toFixed(0)} by the clock (aim 100), ${(theirs.cpu / ours.cpu).toFixed(0)} by CPU time`,
  );
}

function tensorsOf(values: Record<string, Value>): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, tensorOf(value)]));
}

function open({ name, programs, state }: Subject, threads: number): Steps<string> {
  return compileSteps(programs, { name, engine: "onnx", state, threads });
}

/** The least of each over at least three steps. */
async function best(step: Step): Promise<Cost> {
  await step();
  let cost = never;
  const end = performance.now() + SECONDS * 1000;
  for (let i = 0; i < 3 || performance.now() < end; i++) cost = least(cost, await costOf(step));
  return cost;
}

async function costOf(step: Step): Promise<Cost> {
  const [started, used] = [performance.now(), process.cpuUsage()];
  await step();
  const { user, system } = process.cpuUsage(used);
  return { wall: performance.now() - started, cpu: (user + system) / 1000 };
}

function least(a: Cost, b: Cost): Cost {
  return { wall: Math.min(a.wall, b.wall), cpu: Math.min(a.cpu, b.cpu) };
}

/** Its cost in a process of its own; null where there is no PyTorch. */
function pytorch(name: string, batch: number, threads: number): { cost: Cost; version: string } | null {
  const script = fileURLToPath(new URL("./train.py", import.meta.url));
  const child = spawnSync(process.env.PYTHON ?? "python3", [script, name, `${batch}`, `${SECONDS}`, `${threads}`], {
    encoding: "utf8",
  });
  if (child.status !== 0) return null;
  const [wall, , cpu, version] = child.stdout.trim().split(" ");
  return { cost: { wall: Number(wall), cpu: Number(cpu) }, version: version ?? "" };
}

async function memory(): Promise<void> {
  await using steps = compileSteps(
    {
      tiny: ({ x }, { w }) => ({ outputs: { y: tf.sum(w!) }, state: { w: tf.add(tf.mul(w!, 0.9), x!) } }),
    },
    { name: "tiny", engine: "onnx", threads: 1, state: { w: { data: new Float32Array(20_000), shape: [20_000] } } },
  );
  const x = { data: new Float32Array(20_000).fill(1), shape: [20_000] };
  console.log("\n| tiny steps | memory of the process, MB | tensors | ms a step |");
  console.log("|---|---|---|---|");
  let since = performance.now();
  for (let i = 1; i <= 10_000; i++) {
    await steps.run("tiny", { x });
    if (i % 2000 !== 0) continue;
    const took = (performance.now() - since) / 2000;
    console.log(
      `| ${i} | ${(process.memoryUsage().rss / 1e6).toFixed(0)} | ${tf.memory().numTensors} | ${took.toFixed(2)} |`,
    );
    since = performance.now();
  }
}
