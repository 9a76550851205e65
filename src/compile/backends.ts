import { createRequire } from "node:module";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { Value } from "./types.ts";

/**
 * Runs `body` with a TensorFlow.js backend in force and puts the former one back. Synchronous on purpose: the backend
 * is global state, and nobody else may see it changed.
 */
export function withBackend<T>(name: string, body: () => T): T {
  const before = tf.engine().backendName;
  quietCpu();
  if (before === name) return body();
  // The promise is of no use here: a backend with a synchronous factory is in force when the call returns.
  void tf.setBackend(name);
  try {
    return body();
  } finally {
    void tf.setBackend(before ?? "cpu");
  }
}

/** A tensor on the backend in force. Bytes become int32 0..255. */
export function tensorOf(value: Value): tf.Tensor {
  const { data, shape } = value;
  if (data instanceof Float32Array) return tf.tensor(data, [...shape], "float32");
  return tf.tensor(data instanceof Int32Array ? data : Int32Array.from(data), [...shape], "int32");
}

/** A tensor's values, copied; bool becomes bytes 0 or 1. */
export async function readTensor(tensor: tf.Tensor): Promise<Value> {
  const data = await tensor.data();
  // A lossless cast on the cpu backend changes the tensor's dtype only: the array may still be of the former one.
  const Numbers = tensor.dtype === "float32" ? Float32Array : tensor.dtype === "int32" ? Int32Array : Uint8Array;
  return { data: Numbers.from(data), shape: [...tensor.shape] };
}

/** Makes @tensorflow/tfjs-node-gpu's `tensorflow` backend known in this process. Call only after `probeTensorflow` was content. */
export function loadTensorflow(): void {
  // A require, not an import: the engine's name is known as soon as compile() returns.
  createRequire(import.meta.url)("@tensorflow/tfjs-node-gpu");
}

// The backend greets with an advertisement on stderr when it is first written to.
function quietCpu(): void {
  const cpu = tf.findBackend("cpu") as unknown as { firstUse: boolean };
  cpu.firstUse = false;
}
