import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../errors.ts";
import { loadTensorflow, readTensor, tensorOf, withBackend } from "./backends.ts";
import type { Executor } from "./executor.ts";
import type { Program, Value } from "./types.ts";

/** Runs the program op by op on a TensorFlow.js backend, in this thread. */
export function eagerExecutor(name: string, program: Program, engine: "js" | "tensorflow"): Executor {
  if (engine === "tensorflow") loadTensorflow();
  const backend = engine === "js" ? "cpu" : "tensorflow";
  return {
    async run(feeds: Record<string, Value>): Promise<Record<string, Value>> {
      const outputs = withBackend(backend, () =>
        tf.tidy(() => {
          const inputs = Object.fromEntries(Object.entries(feeds).map(([key, value]) => [key, tensorOf(value)]));
          // A clone each: a program may hand back an input, or a tensor that outlives this run.
          return Object.fromEntries(Object.entries(program(inputs)).map(([key, tensor]) => [key, tf.clone(tensor)]));
        }),
      );
      try {
        const entries = Object.entries(outputs).map(async ([key, tensor]) => [key, await readTensor(tensor)] as const);
        return Object.fromEntries(await Promise.all(entries));
      } catch (cause) {
        throw new PipeError(`${name}: its outputs could not be read.`, { cause });
      } finally {
        tf.dispose(outputs);
      }
    },
    async dispose() {},
  };
}
