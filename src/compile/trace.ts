import * as tf from "@tensorflow/tfjs-core";
import { PipeError, reasonOf } from "../errors.ts";
import { withBackend } from "./backends.ts";
import { Graph, type Sym } from "./graph.ts";
import { TRACE, type TraceBackend } from "./trace-backend.ts";
import type { Program } from "./types.ts";

/** Shape and type of one input of a graph. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "uint8";
}

/**
 * Runs a program once on the tracing backend and returns the ONNX graph of what it did. Synchronous; all tensors made
 * on the way are freed. Throws a PipeError named after the function when it reads a traced value (data-dependent
 * control flow) or uses an op without a kernel.
 */
export function trace(name: string, program: Program, inputs: Record<string, InputSpec>): Graph {
  const backend = tf.findBackend(TRACE) as unknown as TraceBackend;
  const graph = new Graph(name);
  withBackend(TRACE, () =>
    backend.within(graph, () =>
      tf.tidy(() => {
        const feeds = Object.fromEntries(
          Object.entries(inputs).map(([key, { shape, dtype }]) => [key, feed(backend, graph, key, shape, dtype)]),
        );
        const outputs = call(name, program, feeds);
        const names = Object.keys(outputs);
        if (names.length === 0) throw new PipeError(`${name} gives no outputs.`);
        for (const key of names) {
          if (key in inputs)
            throw new PipeError(`${name} has an input and an output named "${key}".`, { hint: "Rename one of them." });
          graph.output(key, backend.take(outputs[key]!));
        }
      }),
    ),
  );
  return prune(graph);
}

function feed(backend: TraceBackend, graph: Graph, name: string, shape: readonly number[], dtype: InputSpec["dtype"]) {
  const sym = graph.input(name, shape, dtype);
  const info = backend.give(
    dtype === "uint8" ? graph.cast(sym, "int32") : sym,
    shape,
    dtype === "float32" ? dtype : "int32",
  );
  return tf.engine().makeTensorFromTensorInfo(info);
}

function call(name: string, program: Program, feeds: Record<string, tf.Tensor>): Record<string, tf.Tensor> {
  try {
    return program(feeds);
  } catch (cause) {
    if (cause instanceof PipeError) throw cause;
    const shapes = Object.entries(feeds).map(([key, tensor]) => `${key} [${tensor.shape.join(", ")}]`);
    throw new PipeError(`${name} failed while it was traced: ${reasonOf(cause)}`, {
      hint: `Its inputs were ${shapes.join(", ")}. The same program with engine js tells whether the fault is its own.`,
      cause,
    });
  }
}

/** Leaves out what no output needs. Inputs stay, used or not. */
function prune(graph: Graph): Graph {
  const needed = new Set<Sym>();
  const pending = [...graph.outputs];
  while (pending.length > 0) {
    const sym = pending.pop()!;
    if (needed.has(sym)) continue;
    needed.add(sym);
    for (const input of sym.node?.inputs ?? []) if (input) pending.push(input);
  }
  const keep = <T>(list: T[], wanted: (item: T) => boolean) => list.splice(0, list.length, ...list.filter(wanted));
  keep(graph.nodes, (node) => node.outputs.some((sym) => needed.has(sym)));
  keep(graph.constants, (sym) => needed.has(sym));
  return graph;
}
