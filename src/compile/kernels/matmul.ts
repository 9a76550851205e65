import { broadcast_util, type TensorInfo } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { logical } from "../layout.ts";
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
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  const type = a.dtype === "int32" ? "int32" : "float32";
  // tf.fused.matMul puts a batch of one in front of plain matrices.
  const flat = type === "float32" && isLone(a) && isLone(b);

  if (flat) {
    // Gemm reads either order for nothing, and a matrix that lies transposed in memory is one more reason to.
    const [left, flipA] = matrix(backend, graph, a, transposeA);
    const [right, flipB] = matrix(backend, graph, b, transposeB);
    const result = { shape: [rows, columns], type } as const;
    const addend = bias !== null && isLone(bias);
    const give = (product: Sym) => backend.give(graph.reshape(product, shape), shape, type);
    if (!flipA && !flipB && !bias) return give(graph.add("MatMul", [left, right], result));
    const inputs = addend ? [left, right, graph.reshape(backend.take(bias), bias.shape.slice(-2))] : [left, right];
    const product = graph.add("Gemm", inputs, result, { transA: flipA ? 1 : 0, transB: flipB ? 1 : 0 });
    return addend || !bias ? give(product) : plus(backend, graph, graph.reshape(product, shape), shape, bias);
  }
  const left = batched(backend, a, transposeA);
  const right = batched(backend, b, transposeB);
  const product = graph.add("MatMul", [graph.cast(left, type), graph.cast(right, type)], { shape, type });
  return bias ? plus(backend, graph, product, shape, bias) : backend.give(product, shape, type);
}

/** One matrix, whatever its rank. */
const isLone = ({ shape }: TensorInfo) => shape.slice(0, -2).every((n) => n === 1);

/** A matrix as it lies, and whether Gemm must flip it. A constant is flipped beforehand. Leading axes are of length 1. */
function matrix(backend: TraceBackend, graph: Graph, info: TensorInfo, transpose: boolean): [sym: Sym, flip: boolean] {
  const order = logical(info.shape.length);
  const turned = [...order.slice(0, -2), order.length - 1, order.length - 2];
  const layout = backend.layout(info);
  const own = layout ?? (transpose ? turned : order);
  // Axes of length 1 may lie anywhere; of the two others either comes first.
  const flipped = own.indexOf(order.length - 1) < own.indexOf(order.length - 2);
  const sym = backend.take(info, flipped ? turned : order);
  return [graph.reshape(sym, sym.shape.slice(-2)), flipped !== transpose];
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
