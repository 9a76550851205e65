/**
 * What the training loop costs beside its steps, and what it hides, in one run on the same cores.
 *
 *     npx tsx bench/fit.ts [iterations]
 *
 * A perceptron (256 → hidden → 16 units, Adam, batch 64, one thread) of two sizes, trained on the same batches by
 * - `bare`: compileSteps().run() in a plain loop with batches made beforehand: no log, no check, no checkpoint
 * - `fit`: the same through fit, with losses checked and logged, and one checkpoint
 * - `fit × 8`: eight iterations a graph
 * - `slow data`: fit with batches that take two thirds of a step each (waiting, as for a disk), ahead and `not ahead`
 * Rounds alternate and the best of each counts. Time is that between two steps of the same run, so that tracing, opening
 * and the last checkpoint stay out.
 * What it does not show: large networks, where the step is nearly all; checkpoints' own time, given apart; GPUs.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs-core";
import { compileSteps, type Value } from "../src/compile/index.ts";
import { startState, stepProgram } from "../src/nn/fit/programs.ts";
import { type Batch, type FitOptions, fit as train } from "../src/nn/fit.ts";
import { initialise } from "../src/nn/init.ts";
import { adam } from "../src/nn/optimisers.ts";
import type { ParameterSpec } from "../src/nn/weights.ts";
import { seeded } from "../src/random.ts";

const ITERATIONS = Number(process.argv[2] ?? 160);
const ROUNDS = 5;
const [BATCH, IN, OUT] = [64, 256, 16];
const WARM_UP = 48;
const READY = Array.from({ length: 16 }, (_, i) => drawn(i));

const root = await mkdtemp(join(tmpdir(), "bench-fit-"));
for (const hidden of [128, 512]) {
  const options = (more: Partial<FitOptions> = {}): FitOptions => ({ ...perceptron(hidden), ...more });
  const bareStep = await bare(options());
  const slow = async (i: number): Promise<Batch> => {
    await sleep((bareStep * 2) / 3);
    return batch(i);
  };
  const subjects: Record<string, () => Promise<number>> = {
    bare: () => bare(options()),
    fit: () => timed(options()),
    "fit × 8": () => timed(options({ stepsPerRun: 8 })),
    "slow data": () => timed(options({ batch: slow })),
    "slow data, not ahead": () => timed(options({ batch: slow, batchesAhead: 0 })),
  };
  const best: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(subjects))
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, await run());
  console.log(`hidden ${hidden}`);
  for (const [name, ms] of Object.entries(best))
    console.log(`  ${name.padEnd(22)} ${ms.toFixed(3)} ms a step   ${(ms / best.bare!).toFixed(2)} × bare`);
}
await rm(root, { recursive: true });

function perceptron(hidden: number): FitOptions {
  const uniform = (fanIn: number) => ({ uniform: { fanIn } });
  const specs: ParameterSpec[] = [
    { name: "one", shape: [IN, hidden], start: uniform(IN) },
    { name: "two", shape: [hidden, hidden], start: uniform(hidden) },
    { name: "three", shape: [hidden, OUT], start: uniform(hidden) },
  ];
  return {
    name: "perceptron",
    parts: { net: specs },
    phases: [
      {
        name: "descend",
        trains: ["net"],
        optimiser: adam({ learningRate: 1e-3 }),
        losses({ net }, { x, y }) {
          const weight = (name: string) => net!.get(name) as tf.Tensor2D;
          const one = tf.relu(tf.matMul(x as tf.Tensor2D, weight("one")));
          const out = tf.matMul(tf.relu(tf.matMul(one, weight("two"))), weight("three"));
          return { square: tf.mean(tf.squaredDifference(out, y!)) as tf.Scalar };
        },
        weights: { square: 1 },
      },
    ],
    batch: async (iteration) => batch(iteration),
    iterations: ITERATIONS,
    seed: 1,
    folder: "",
    threads: 1,
  };
}

function batch(iteration: number): Batch {
  return READY[iteration % READY.length]!;
}

function drawn(iteration: number): Batch {
  const random = seeded(iteration);
  const draw = (...shape: number[]): Value => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.next()),
  });
  return { feeds: { x: draw(BATCH, IN), y: draw(BATCH, OUT) } };
}

/** Milliseconds a step. */
async function timed(options: FitOptions): Promise<number> {
  const folder = join(root, "run");
  let from = 0;
  let to = 0;
  await train({
    ...options,
    folder,
    progress(event) {
      if (event.event !== "step") return;
      if (event.iteration === WARM_UP) from = performance.now();
      if (event.iteration === ITERATIONS) to = performance.now();
    },
  });
  await rm(folder, { recursive: true });
  return (to - from) / (ITERATIONS - WARM_UP);
}

async function bare(options: FitOptions): Promise<number> {
  const [phase] = options.phases;
  const state = startState(options, { net: initialise(options.parts.net!, 1) });
  await using steps = compileSteps({ step: stepProgram(phase!, options.parts) }, { name: "bare", state, threads: 1 });
  let from = 0;
  for (let i = 1; i <= ITERATIONS; i++) {
    await steps.run("step", READY[i % 16]!.feeds);
    if (i === WARM_UP) from = performance.now();
  }
  return (performance.now() - from) / (ITERATIONS - WARM_UP);
}
