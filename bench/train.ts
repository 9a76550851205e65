/**
 * Whole training steps through compileSteps() beside PyTorch in eager mode, in one run on the same cores.
 *
 *     PYTHON=python3 npx tsx bench/train.ts [seconds] [subject …]     subjects: small d g memory
 *
 * `small`: two convolutions and two dense layers, batch 32; `d` and `g`: ANCLaF's discriminator step with gradient penalty
 * and generator step, preset paper, batch 16; all with Adam. PyTorch (`bench/train.py`) has the same networks and losses
 * and other random weights. Rounds alternate, and the best step of each side counts; CPU time of the best step is told
 * beside it, since a busy machine spoils the other (THREADS=1: threads that wait burn CPU time, too). The first step's losses must equal tfjs-backend-cpu's for `small`.
 * `memory`: 10,000 tiny steps; the process's memory and the number of tensors after each 2,000.
 * What it does not show: GPUs, other processors, PyTorch's compiled modes, and making the batches.
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { compileSteps, type Steps } from "../src/compile/index.ts";
import { presets } from "../src/systems/anclaf/presets.ts";
import { anclaf, type Subject, small } from "./train-programs.ts";

const SECONDS = Number(process.argv[2] ?? 8);
const ROUNDS = 3;
const THREADS = Number(process.env.THREADS ?? availableParallelism());
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}
const never: Cost = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
const wanted = process.argv.length > 3 ? process.argv.slice(3) : ["small", "d", "g", "memory"];

console.log(`${THREADS} thread(s) of ${availableParallelism()}, Node ${process.version}\n`);
if (wanted.some((name) => name !== "memory")) {
  console.log(
    "| step | compileSteps(), ms (CPU ms) | PyTorch, ms (CPU ms) | ratio, wall | ratio, CPU | first step, ms |",
  );
  console.log("|---|---|---|---|---|---|");
}
for (const name of wanted)
  if (name === "small") await measure(small(32), "train", name, 32);
  else if (name === "memory") await memory();
  else await measure(anclaf(presets.paper, 16), name, name, 16);

async function measure(subject: Subject, program: string, name: string, batch: number): Promise<void> {
  await using steps = open(subject, "onnx");
  const feeds = subject.feeds[program]!;
  const started = performance.now();
  const first = await steps.run(program, feeds);
  const opening = performance.now() - started;
  if (name === "small") {
    await using js = open(subject, "js");
    const truth = (await js.run(program, feeds)).total!.data[0]!;
    if (!(Math.abs(first.total!.data[0]! - truth) <= 1e-4 * Math.abs(truth))) throw new Error("the engines disagree");
  }
  let [ours, theirs] = [never, never];
  let version = "";
  for (let round = 0; round < ROUNDS; round++) {
    ours = least(ours, await best(() => steps.run(program, feeds)));
    const told = pytorch(name, batch);
    if (told === null) break;
    theirs = least(theirs, told.cost);
    version = told.version;
  }
  const shown = ({ wall, cpu }: Cost) => `${wall.toFixed(1)} (${cpu.toFixed(1)})`;
  const peer = theirs === never ? ["not here", "", ""] : [`${shown(theirs)}, ${version}`, ratio("wall"), ratio("cpu")];
  console.log(`| ${subject.name}, ${program} | ${shown(ours)} | ${peer.join(" | ")} | ${opening.toFixed(0)} |`);

  function ratio(kind: keyof Cost): string {
    return (theirs[kind] / ours[kind]).toFixed(2);
  }
}

function least(a: Cost, b: Cost): Cost {
  return { wall: Math.min(a.wall, b.wall), cpu: Math.min(a.cpu, b.cpu) };
}

function open({ name, programs, state }: Subject, engine: "onnx" | "js"): Steps<string> {
  return compileSteps(programs, { name, engine, state, threads: THREADS });
}

async function best(step: () => Promise<unknown>): Promise<Cost> {
  await step();
  let cost = never;
  const end = performance.now() + SECONDS * 1000;
  for (let i = 0; i < 3 || performance.now() < end; i++) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    await step();
    const { user, system } = process.cpuUsage(used);
    cost = least(cost, { wall: performance.now() - started, cpu: (user + system) / 1000 });
  }
  return cost;
}

function pytorch(name: string, batch: number): { cost: Cost; version: string } | null {
  const script = fileURLToPath(new URL("./train.py", import.meta.url));
  const child = spawnSync(process.env.PYTHON ?? "python3", [script, name, `${batch}`, `${SECONDS}`, `${THREADS}`], {
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
