/**
 * Convolutions of ANCLaF's G and D as they are trained: forward, gradient by the input and gradient by the filter, with
 * weights that change from run to run, beside PyTorch in eager mode (bench/gradients.py).
 *
 *     PYTHON=python3 npx tsx bench/gradients.ts [seconds a convolution and round] [rounds]
 *
 * Batch 16, preset paper, as many threads as cores. CPU time is that of all threads together, and says more than the clock
 * where others use the cores too. Rounds alternate and the best run of each side counts. Our side sums the
 * input's gradient and the output up, which PyTorch's does not.
 * What it does not show: norms and activations (bench/train.ts has whole steps), GPUs, other processors.
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { compileSteps, type StepProgram, type Steps, type Value } from "../src/compile/index.ts";
import { conv2d, doublingConv } from "../src/nn/layers.ts";

const SECONDS = Number(process.argv[2] ?? 1);
const ROUNDS = Number(process.argv[3] ?? 3);
const BATCH = 16;
const NEVER: Times = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };

interface Subject {
  readonly name: string;
  readonly channels: readonly [number, number];
  readonly side: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly transposed?: boolean;
}

const subjects: Subject[] = [
  { name: "G e1", channels: [3, 16], side: 128, kernel: 7, stride: 1, padding: 3 },
  { name: "G e2", channels: [16, 32], side: 128, kernel: 4, stride: 2, padding: 1 },
  { name: "G e3", channels: [32, 64], side: 64, kernel: 4, stride: 2, padding: 1 },
  { name: "G r1 to r5, one of ten", channels: [64, 64], side: 32, kernel: 3, stride: 1, padding: 1 },
  { name: "G d1", channels: [64, 32], side: 32, kernel: 4, stride: 2, padding: 1, transposed: true },
  { name: "G d2", channels: [32, 16], side: 64, kernel: 4, stride: 2, padding: 1, transposed: true },
  { name: "G d3", channels: [16, 3], side: 128, kernel: 7, stride: 1, padding: 3 },
  ...[3, 16, 32, 64, 128, 256].map((cin, i): Subject => {
    const [cout, side] = [16 * 2 ** i, 128 / 2 ** i];
    return { name: `D c${i + 1}`, channels: [cin, cout], side, kernel: 4, stride: 2, padding: 1 };
  }),
];

const python = process.env.PYTHON ?? "python3";
const script = fileURLToPath(new URL("./gradients.py", import.meta.url));
console.log(`${availableParallelism()} cores, Node ${process.version}\n`);
console.log(
  "| forward and both gradients, batch 16 | ours, ms | PyTorch, ms | ours, GFLOP/s | PyTorch | PyTorch / ours | ours, CPU ms | PyTorch, CPU ms |",
);
console.log("|---|---|---|---|---|---|---|---|");
let [allOurs, allTheirs] = [0, 0];
for (const subject of subjects) {
  await using steps = compiled(subject);
  const feeds = { x: wave(inputShape(subject)), dy: wave(outputShape(subject)) };
  let [ours, theirs] = [NEVER, NEVER];
  for (let round = 0; round < ROUNDS; round++) {
    ours = faster(ours, await fastest(steps, feeds));
    theirs = faster(theirs, pytorch(subject));
  }
  const times = subject.name.includes("ten") ? 10 : 1;
  allOurs += times * ours.wall;
  allTheirs += times * theirs.wall;
  const rate = (ms: number) => (flops(subject) / ms / 1e6).toFixed(0);
  const ms = [ours.wall, theirs.wall].map((value) => value.toFixed(2));
  const ratio = (theirs.wall / ours.wall).toFixed(2);
  const cpu = [ours.cpu, theirs.cpu].map((value) => value.toFixed(1));
  const figures = [...ms, rate(ours.wall), rate(theirs.wall), ratio, ...cpu];
  console.log(`| ${subject.name} | ${figures.join(" | ")} |`);
}
console.log(
  `\nAll, r1 to r5 counted ten times: ${allOurs.toFixed(0)} and ${allTheirs.toFixed(0)} ms, ${(allTheirs / allOurs).toFixed(2)}`,
);

function compiled({ name, channels: [cin, cout], kernel, stride, padding, transposed }: Subject): Steps<"train"> {
  const train: StepProgram = (planes, { weight }) => {
    // Fed as PyTorch has them, channels first.
    const [x, dy] = [planes.x!, planes.dy!].map((one) => tf.transpose(one, [0, 2, 3, 1])) as [tf.Tensor, tf.Tensor];
    const layer = (x: tf.Tensor, w: tf.Tensor) =>
      transposed
        ? doublingConv(x as tf.Tensor4D, w as tf.Tensor4D)
        : conv2d(x as tf.Tensor4D, w as tf.Tensor4D, { stride, padding });
    const { value, grads } = tf.valueAndGrads(layer)([x, weight!], dy as tf.Tensor4D);
    const [byInput, byWeight] = grads as [tf.Tensor, tf.Tensor];
    return {
      outputs: { value: tf.sum(value), byInput: tf.sum(byInput) },
      state: { weight: tf.sub(weight!, tf.mul(byWeight, 1e-9)) },
    };
  };
  const shape = transposed ? [cin, cout, kernel, kernel] : [cout, cin, kernel, kernel];
  return compileSteps({ train }, { name, engine: "onnx", state: { weight: wave(shape) } });
}

interface Times {
  /** Milliseconds a run. */
  readonly wall: number;
  readonly cpu: number;
}

function faster(a: Times, b: Times): Times {
  return { wall: Math.min(a.wall, b.wall), cpu: Math.min(a.cpu, b.cpu) };
}

async function fastest(steps: Steps<"train">, feeds: Record<string, Value>): Promise<Times> {
  let best = NEVER;
  await steps.run("train", feeds);
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    // Several under way at once: copying the feeds is then no part of the time.
    await Promise.all(Array.from({ length: 4 }, () => steps.run("train", feeds)));
    const { user, system } = process.cpuUsage(used);
    best = faster(best, { wall: (performance.now() - started) / 4, cpu: (user + system) / 4000 });
  }
  return best;
}

function pytorch({ channels: [cin, cout], side, kernel, stride, padding, transposed }: Subject): Times {
  const layer = ["layer", cin, cout, side, kernel, stride, padding, transposed ? 1 : 0].join(":");
  const child = spawnSync(python, [script, `${BATCH}`, `${SECONDS}`, `${availableParallelism()}`, layer], {
    encoding: "utf8",
  });
  const [, wall, cpu] = child.status === 0 ? child.stdout.split(/\s/).map(Number) : [];
  return { wall: wall ?? Number.NaN, cpu: cpu ?? Number.NaN };
}

function inputShape({ channels: [cin], side }: Subject): number[] {
  return [BATCH, cin, side, side];
}

function outputShape({ channels: [, cout], side, stride, transposed }: Subject): number[] {
  const out = transposed ? side * stride : side / stride;
  return [BATCH, cout, out, out];
}

/** Multiplications and additions of the three convolutions. */
function flops({ channels: [cin, cout], side, kernel, stride, transposed }: Subject): number {
  const pixels = (transposed ? side : side / stride) ** 2;
  return 3 * 2 * BATCH * pixels * cin * cout * kernel * kernel;
}

function wave(shape: readonly number[]): Value {
  const length = shape.reduce((a, b) => a * b, 1);
  return { data: Float32Array.from({ length }, (_, i) => 0.3 * Math.sin(i * 0.37)), shape };
}
