import { broadcast_util, type TensorInfo } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { isLogical, logical } from "../layout.ts";
import type { TraceBackend } from "../trace-backend.ts";
import { activate } from "./activation.ts";
import type { Kernels } from "./define.ts";

/** Products of matrices, single or in batches. */
export const matmul: Kernels = {
  BatchMatMul: ({ inputs, attrs, backend, graph }) =>
    multiply(backend, graph, inputs.a!, inputs.b!, attrs.transposeA, attrs.transposeB, null),
  _FusedMatMul: (call) => {
    const { inputs, attrs, backend, graph } = call;
    const product = multiply(
      backend,
      graph,
      inputs.a!,
      inputs.b!,
      attrs.transposeA,
      attrs.transposeB,
      inputs.bias ?? null,
    );
    return activate(call, product);
  },
  Einsum: ({ inputs, attrs, backend, graph }) => {
    const infos = Object.values(inputs);
    const equation: string = attrs.equation.replace(/\s/g, "");
    const [left, right] = equation.split("->") as [string, string];
    const lengths = new Map<string, number>();
    left.split(",").forEach((letters, i) => {
      [...letters].forEach((letter, axis) => {
        lengths.set(letter, infos[i]!.shape[axis]!);
      });
    });
    const shape = [...right].map((letter) => lengths.get(letter)!);
    const syms = infos.map((info) => backend.take(info));
    return backend.give(
      graph.add("Einsum", syms, { shape, type: syms[0]!.type }, { equation }),
      shape,
      infos[0]!.dtype,
    );
  },
};

function multiply(
  backend: TraceBackend,
  graph: Graph,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  bias: TensorInfo | null,
): TensorInfo {
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  const rows = a.shape[transposeA ? rankA - 1 : rankA - 2]!;
  const columns = b.shape[transposeB ? rankB - 2 : rankB - 1]!;
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  const type = a.dtype === "int32" ? "int32" : "float32";
  const flat = rankA === 2 && rankB === 2 && type === "float32";

  if (flat) {
    // Gemm reads either order for nothing, and a matrix that lies transposed in memory is one more reason to.
    const [left, flipA] = matrix(backend, a, transposeA);
    const [right, flipB] = matrix(backend, b, transposeB);
    const addend = bias && (bias.shape.length === 1 || bias.shape.length === 2 || bias.shape.length === 0);
    if (!flipA && !flipB && !bias)
      return backend.give(graph.add("MatMul", [left, right], { shape, type }), shape, type);
    const inputs = addend ? [left, right, backend.take(bias)] : [left, right];
    const product = graph.add("Gemm", inputs, { shape, type }, { transA: flipA ? 1 : 0, transB: flipB ? 1 : 0 });
    return addend || !bias ? backend.give(product, shape, type) : plus(backend, graph, product, shape, bias);
  }
  const left = batched(backend, a, transposeA);
  const right = batched(backend, b, transposeB);
  const product = graph.add("MatMul", [graph.cast(left, type), graph.cast(right, type)], { shape, type });
  return bias ? plus(backend, graph, product, shape, bias) : backend.give(product, shape, type);
}

/** A rank-2 tensor as it lies, and whether Gemm must flip it. */
function matrix(backend: TraceBackend, info: TensorInfo, transpose: boolean): [sym: Sym, flip: boolean] {
  const layout = backend.layout(info);
  if (layout === null) return [backend.take(info, transpose ? [1, 0] : [0, 1]), false];
  return [backend.take(info, layout), isLogical(layout) === transpose];
}

function batched(backend: TraceBackend, info: TensorInfo, transpose: boolean): Sym {
  const order = logical(info.shape.length);
  return backend.take(info, transpose ? [...order.slice(0, -2), order.length - 1, order.length - 2] : order);
}

function plus(
  backend: TraceBackend,
  graph: Graph,
  product: Sym,
  shape: readonly number[],
  bias: TensorInfo,
): TensorInfo {
  const addend = backend.takeBroadcast(bias, logical(shape.length));
  return backend.give(graph.add("Add", [product, addend], product), shape, "float32");
}
