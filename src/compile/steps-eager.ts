import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { loadTensorflow, readTensor, tensorOf, withBackend } from "./backends.ts";
import { sliced, stacked } from "./slices.ts";
import type { Step } from "./steps-program.ts";
import type { StepExecutor, StepsOptions } from "./steps-types.ts";
import type { Value } from "./types.ts";

/** Runs steps op by op on a TensorFlow.js backend, in this thread; the state stays there as tensors. */
export function eagerSteps(
  programs: ReadonlyMap<string, Step>,
  { name, state: initial }: StepsOptions,
  engine: "js" | "tensorflow",
): StepExecutor {
  if (engine === "tensorflow") loadTensorflow();
  const backend = engine === "js" ? "cpu" : "tensorflow";
  const state = new Map<string, tf.Tensor>();

  const put = (entry: string, tensor: tf.Tensor) => {
    state.get(entry)?.dispose();
    state.set(entry, tensor);
  };
  const write = (values: Record<string, Value>) =>
    withBackend(backend, () => {
      // Bytes of their own: the backend keeps the array that it is given.
      for (const [entry, { data, shape }] of Object.entries(values))
        put(entry, tensorOf({ data: data.slice(), shape }));
    });
  write(initial);

  /** Its outputs, which the caller frees. */
  const step = (program: Step, feeds: Record<string, Value>): Record<string, tf.Tensor> => {
    const given = withBackend(backend, () =>
      tf.tidy(() => {
        const inputs = Object.fromEntries(Object.entries(feeds).map(([key, value]) => [key, tensorOf(value)]));
        const results = program.call(inputs, Object.fromEntries(state));
        // A clone each: a program may hand back an input, or a tensor that outlives this run.
        const clones = (tensors: Record<string, tf.Tensor>) =>
          Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [key, tf.clone(tensor)]));
        return { outputs: clones(results.outputs), state: clones(results.state) };
      }),
    );
    for (const [entry, tensor] of Object.entries(given.state)) put(entry, tensor);
    return given.outputs;
  };

  return {
    async run(program, feeds, steps) {
      const outputs: Record<string, tf.Tensor>[] = [];
      try {
        if (steps === null) outputs.push(step(programs.get(program)!, feeds));
        else for (let i = 0; i < steps; i++) outputs.push(step(programs.get(program)!, sliced(feeds, i)));
        const values = await Promise.all(outputs.map((each) => readAll(name, each)));
        return steps === null ? values[0]! : stacked(values);
      } finally {
        tf.dispose(outputs);
      }
    },
    read: (names) => readAll(name, Object.fromEntries(names.map((entry) => [entry, state.get(entry)!]))),
    async write(values) {
      write(values);
    },
    async dispose() {
      for (const tensor of state.values()) tensor.dispose();
      state.clear();
    },
  };
}

async function readAll(name: string, tensors: Record<string, tf.Tensor>): Promise<Record<string, Value>> {
  try {
    const entries = Object.entries(tensors).map(async ([key, tensor]) => [key, await readTensor(tensor)] as const);
    return Object.fromEntries(await Promise.all(entries));
  } catch (cause) {
    throw new PipeError(`${name}: its results could not be read.`, { cause });
  }
}
