/**
 * Training steps of the sequence networks beside PyTorch's, in one run on the same cores.
 *
 *     PYTHON=python3 npx tsx bench/lstm.ts [rounds] [batch,batch,…]
 *
 * Windows of 8 frames, 512 units; forward, mean squared error of the linear head, backward, Adam:
 * `lstm` is nn.LSTM on 2048 features, `s` and `sa` are ANCLaF's C-S and C-SA on kept features (1024), beside a loop over
 * nn.LSTMCell with the same attention. Rounds alternate; the shortest step of all rounds counts, and beside it the CPU
 * time of a step (mean of the best round), which other work on the machine disturbs less; THREADS=1 makes that a fair
 * comparison, since threads that wait for one another burn CPU time too. FUSED=1 takes PyTorch's fused Adam, not the
 * default one. Ours includes handing the batch to the thread that computes; PyTorch's lies ready in memory.
 * What it does not show: other lengths and widths, GPUs, PyTorch's compiled modes, reading data.
 */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { compileSteps, type Value } from "../src/compile/index.ts";
import { differentiate, flatten } from "../src/nn/flat.ts";
import { initialise } from "../src/nn/init.ts";
import { type LstmWeights, lstm, lstmParameters } from "../src/nn/lstm.ts";
import { adam, byRule } from "../src/nn/optimisers.ts";
import { type Parameters, scope } from "../src/nn/parameters.ts";
import { count, type ParameterSpec } from "../src/nn/weights.ts";
import { presets } from "../src/systems/anclaf/presets.ts";
import { sequenceHead, sequenceHeadParameters } from "../src/systems/anclaf/sequence.ts";

const ROUNDS = Number(process.argv[2] ?? 5);
const BATCHES = (process.argv[3] ?? "32,128,500").split(",").map(Number);
const THREADS = Number(process.env.THREADS ?? availableParallelism());
const [FRAMES, UNITS] = [8, 512];
const python = process.env.PYTHON ?? "python3";
const script = fileURLToPath(new URL("./lstm.py", import.meta.url));

interface Subject {
  readonly features: number;
  readonly specs: readonly ParameterSpec[];
  affect(parameters: Parameters, x: tf.Tensor3D): tf.Tensor;
}

const subjects: Record<string, Subject> = {
  lstm: {
    features: 2048,
    specs: [
      ...lstmParameters("lstm", 2048, UNITS),
      { name: "head.weight", shape: [2, UNITS], start: { uniform: { fanIn: UNITS } } },
      { name: "head.bias", shape: [2], start: "zeros" },
    ],
    affect(parameters, x) {
      const own = scope(parameters, "lstm");
      const weights = Object.fromEntries(
        ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((name) => [name, own(name)]),
      );
      const { h } = lstm(x, weights as unknown as LstmWeights);
      const head = scope(parameters, "head");
      const rows = tf.matMul(tf.reshape(h, [-1, UNITS]), head<tf.Tensor2D>("weight"), false, true);
      return tf.reshape(tf.add(rows, head("bias")), [x.shape[0], FRAMES, 2]);
    },
  },
  s: sequence(false),
  sa: sequence(true),
};

function sequence(attend: boolean): Subject {
  return {
    features: 1024,
    specs: sequenceHeadParameters(presets.paper),
    affect: (parameters, x) => sequenceHead(parameters, x, { attend }).affect,
  };
}

console.log(`${THREADS} thread(s) of ${availableParallelism()}, Node ${process.version}\n`);
console.log("| step | batch | ours, ms | PyTorch, ms | ratio | ours, CPU ms | PyTorch, CPU ms | ratio |");
console.log("|---|---|---|---|---|---|---|---|");
for (const [kind, subject] of Object.entries(subjects))
  for (const batch of BATCHES) {
    const ours = { wall: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
    const theirs = { ...ours };
    const steps = Math.max(4, Math.ceil(600 / batch));
    const { step, dispose } = prepared(subject, batch);
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
      const given = [script, kind, `${batch}`, `${steps}`, `${THREADS}`, ...(process.env.FUSED ? ["fused"] : [])];
      const child = spawnSync(python, given, { encoding: "utf8" });
      if (child.status !== 0) throw new Error(`${python} has no torch (set PYTHON):\n${child.stderr}`);
      const [wall, cpu] = child.stdout.split(" ").map(Number);
      theirs.wall = Math.min(theirs.wall, wall!);
      theirs.cpu = Math.min(theirs.cpu, cpu!);
    }
    await dispose();
    const [wall, cpu] = [theirs.wall / ours.wall, theirs.cpu / ours.cpu].map((ratio) => ratio.toFixed(2));
    const [a, b, c, d] = [ours.wall, theirs.wall, ours.cpu, theirs.cpu].map((ms) => ms.toFixed(1));
    console.log(`| ${kind} | ${batch} | ${a} | ${b} | ${wall} | ${c} | ${d} | ${cpu} |`);
  }

function prepared({ features, specs, affect }: Subject, batch: number) {
  const optimiser = adam({ learningRate: 1e-4, betas: [0.5, 0.999] });
  const size = count(specs);
  const vector: Value = { data: flatten(initialise(specs, 1), specs), shape: [size] };
  const steps = compileSteps(
    {
      train({ x, labels }, { vector, ...memory }) {
        const { values, gradient } = differentiate(vector as tf.Tensor1D, specs, (parameters) => {
          const error = tf.sub(affect(parameters, x as tf.Tensor3D), labels!);
          return { total: tf.mean(tf.square(error)) as tf.Scalar };
        });
        const names = ["vector", ...Object.keys(memory)];
        const entries = { ...Object.fromEntries(names.map((name) => [name, name])), parameters: "vector" };
        const { update, state } = byRule(optimiser.rule!, gradient, { vector: vector!, ...memory }, entries);
        return { outputs: { loss: values.total }, state, updates: [update] };
      },
    },
    { name: "lstm", engine: "onnx", threads: THREADS, state: { vector, ...optimiser.start(size) } },
  );
  const feeds = {
    x: numbers([batch, FRAMES, features]),
    labels: numbers([batch, FRAMES, 2]),
  };
  return { step: () => steps.run("train", feeds), dispose: () => steps.dispose() };
}

function numbers(shape: number[]): Value {
  const size = shape.reduce((product, n) => product * n, 1);
  return { data: Float32Array.from({ length: size }, (_, i) => 2 * Math.sin(i * 12.9898)), shape };
}
