import * as tf from "@tensorflow/tfjs-core";
import { PipeError } from "../../errors.ts";
import { TRACE, TraceBackend } from "../trace-backend.ts";
import { binary } from "./binary.ts";
import { conv } from "./conv.ts";
import type { Kernel, Kernels } from "./define.ts";
import { gather } from "./gather.ts";
import { matmul } from "./matmul.ts";
import { norm } from "./norm.ts";
import { pool } from "./pool.ts";
import { reduce } from "./reduce.ts";
import { resize } from "./resize.ts";
import { shape } from "./shape.ts";
import { unary } from "./unary.ts";

/** Every kernel that can be compiled, by TensorFlow.js' name. */
export const kernels: Kernels = {
  ...unary,
  ...binary,
  ...reduce,
  ...shape,
  ...matmul,
  ...conv,
  ...pool,
  ...norm,
  ...resize,
  ...gather,
};

/**
 * Registers the tracing backend and its kernels with TensorFlow.js, once. A kernel whose inputs are all constant is
 * computed on the spot by the cpu backend, so even kernels that cannot be compiled may prepare constants.
 */
export function registerTracing(): void {
  if (tf.findBackendFactory(TRACE)) return;
  // Priority 0: never picked unless named.
  tf.registerBackend(TRACE, () => new TraceBackend(), 0);
  const names = new Set([
    ...Object.keys(kernels),
    ...tf.getKernelsForBackend("cpu").map((kernel) => kernel.kernelName),
  ]);
  for (const kernelName of names) {
    const kernel = kernels[kernelName] ?? refuse(kernelName);
    tf.registerKernel({
      kernelName,
      backendName: TRACE,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const trace = backend as TraceBackend;
        const given = inputs as Readonly<Record<string, tf.TensorInfo>>;
        const cpu = tf.getKernel(kernelName, "cpu");
        const known = Object.values(given).every(
          (info) => info === null || info === undefined || trace.values(info) !== null,
        );
        if (known && cpu) return fold(cpu, given, attrs, trace);
        return kernel({ inputs: given, attrs, backend: trace, graph: trace.graph });
      },
    });
  }
}

/** Computes a kernel of constants on the cpu backend. */
function fold(
  kernel: tf.KernelConfig,
  inputs: Readonly<Record<string, tf.TensorInfo>>,
  attrs: tf.NamedAttrMap | undefined,
  trace: TraceBackend,
): tf.TensorInfo | tf.TensorInfo[] {
  const cpu = tf.findBackend("cpu") as tf.KernelBackend & { disposeIntermediateTensorInfo(info: tf.TensorInfo): void };
  const borrow = (info: tf.TensorInfo) =>
    info && { ...info, dataId: cpu.write(trace.readSync(info.dataId), info.shape, info.dtype) };
  const borrowed = Array.isArray(inputs)
    ? inputs.map(borrow)
    : Object.fromEntries(Object.entries(inputs).map(([key, info]) => [key, borrow(info)]));
  const results = kernel.kernelFunc({ inputs: borrowed as tf.NamedTensorInfoMap, attrs: attrs ?? {}, backend: cpu });
  const bring = (info: tf.TensorInfo) => {
    const values = cpu.readSync(info.dataId);
    cpu.disposeData(info.dataId);
    return { ...info, dataId: trace.write(values, info.shape, info.dtype) };
  };
  const brought = Array.isArray(results) ? results.map(bring) : bring(results);
  for (const info of Object.values(borrowed) as tf.TensorInfo[]) if (info) cpu.disposeData(info.dataId);
  return brought;
}

function refuse(kernelName: string): Kernel {
  return ({ graph }) => {
    throw new PipeError(`${graph.name} uses the TensorFlow.js kernel ${kernelName}, which cannot be compiled.`, {
      hint:
        "Write that part with other ops, leave it outside the compiled function, or run the function with engine js " +
        "or tensorflow. A kernel is added under src/compile/kernels/.",
    });
  };
}
