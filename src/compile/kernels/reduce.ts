import { util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { without } from "../layout.ts";
import { asIs, type Kernel, type Kernels, sizeOf } from "./define.ts";

/** Reductions over axes, and functions along one axis. They work in whatever layout the tensor has. */
export const reduce: Kernels = {
  Sum: reduction("ReduceSum", 0),
  Prod: reduction("ReduceProd", 1),
  Mean: reduction("ReduceMean", Number.NaN, "float32"),
  Max: reduction("ReduceMax", Number.NEGATIVE_INFINITY),
  Min: reduction("ReduceMin", Number.POSITIVE_INFINITY),
  All: reduction("ReduceMin", 1, "bool"),
  Any: reduction("ReduceMax", 0, "bool"),
  ArgMax: position("ArgMax"),
  ArgMin: position("ArgMin"),
  Softmax: ({ inputs, attrs, backend, graph }) => {
    const logits = inputs.logits!;
    const { sym, layout } = asIs(backend, logits);
    const axis = util.parseAxisParam(attrs.dim, logits.shape)[0]!;
    const value = graph.cast(sym, "float32");
    const result = graph.add("Softmax", [value], value, { axis: layout.indexOf(axis) });
    return backend.give(result, logits.shape, "float32", layout);
  },
  Cumsum: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const { sym, layout } = asIs(backend, x);
    const value = sym.type === "bool" ? graph.cast(sym, "int32") : sym;
    const axis = layout.indexOf(util.parseAxisParam(attrs.axis, x.shape)[0]!);
    const flags = { exclusive: attrs.exclusive ? 1 : 0, reverse: attrs.reverse ? 1 : 0 };
    const result = graph.add("CumSum", [value, graph.scalar(axis, "int64")], value, flags);
    return backend.give(result, x.shape, x.dtype === "bool" ? "int32" : x.dtype, layout);
  },
  Cumprod: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const { sym, layout } = asIs(backend, x);
    const value = sym.type === "bool" ? graph.cast(sym, "int32") : sym;
    const axis = layout.indexOf(util.parseAxisParam(attrs.axis, x.shape)[0]!);
    const result = cumulate(graph, value, axis, attrs.exclusive === true, attrs.reverse === true);
    return backend.give(result, x.shape, x.dtype === "bool" ? "int32" : x.dtype, layout);
  },
};

/** `empty` is what a reduction over no elements gives. */
function reduction(op: string, empty: number, forced?: "float32" | "bool"): Kernel {
  return ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    // Max alone has another name for them.
    const axes = util.parseAxisParam(attrs.axis ?? attrs.reductionIndices, x.shape);
    const shape = attrs.keepDims
      ? x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
      : x.shape.filter((_, axis) => !axes.includes(axis));
    const dtype = forced ?? (x.dtype === "bool" ? "int32" : (x.dtype as "float32" | "int32"));
    if (sizeOf(x.shape) === 0) return constant(backend, shape, dtype, empty);
    const { sym, layout } = asIs(backend, x);
    const type = forced === "bool" ? "int32" : dtype;
    const after = attrs.keepDims ? layout : without(layout, axes);
    const outer = after.map((axis) => shape[axis]!);
    const value = graph.cast(sym, type);
    const at = axes.map((axis) => layout.indexOf(axis)).sort((a, b) => a - b);
    const result =
      axes.length === 0
        ? value
        : sumsPlanes(op, value, at)
          ? sumOfPlanes(graph, value, outer)
          : reduceNode(graph, op, value, at, outer, attrs.keepDims === true);
    const extreme = type === "float32" && (op === "ReduceMax" || op === "ReduceMin") && axes.length > 0;
    const whole = extreme ? letNaNThrough(graph, value, result, at, attrs.keepDims === true) : result;
    return backend.give(graph.cast(whole, dtype), shape, dtype, after);
  };
}

/** Whether all but the channels of an NCHW tensor is summed up: the gradient of a bias or a shift. */
const sumsPlanes = (op: string, { shape, type }: Sym, axes: readonly number[]) =>
  op === "ReduceSum" && type === "float32" && shape.length === 4 && `${axes}` === "0,2,3";

/** Plane by plane first, as {@link planeSums} has it: other gradients need those sums too, and nodes are made once. */
function sumOfPlanes(graph: Graph, x: Sym, shape: readonly number[]): Sym {
  const [n, c] = x.shape as [number, number];
  const table = graph.reshape(planeSums(graph, x), [n, c]);
  return graph.reshape(reduceNode(graph, "ReduceSum", table, [0], [c], false), shape);
}

/** The sum of each channel of each sample of an NCHW tensor: [samples · channels, 1, 1]. */
export function planeSums(graph: Graph, x: Sym): Sym {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return reduceNode(graph, "ReduceSum", graph.reshape(x, [n * c, 1, h * w]), [2], [n * c, 1, 1], true);
}

/** ONNX Runtime's extremes pass NaN over; TensorFlow.js' are NaN where any element is. */
function letNaNThrough(graph: Graph, x: Sym, extreme: Sym, axes: readonly number[], keep: boolean): Sym {
  const flags = graph.cast(graph.add("IsNaN", [x], { shape: x.shape, type: "bool" }), "int32");
  const found = graph.cast(reduceNode(graph, "ReduceMax", flags, axes, extreme.shape, keep), "bool");
  return graph.add("Where", [found, graph.scalar(Number.NaN), extreme], extreme);
}

function reduceNode(
  graph: Graph,
  op: string,
  x: Sym,
  axes: readonly number[],
  shape: readonly number[],
  keep: boolean,
) {
  return graph.add(op, [x, graph.int64(axes)], { shape, type: x.type }, { keepdims: keep ? 1 : 0 });
}

function position(op: string): Kernel {
  return ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const axis = util.parseAxisParam(attrs.axis, x.shape)[0]!;
    const { sym, layout } = asIs(backend, x);
    const after = without(layout, [axis]);
    const shape = x.shape.filter((_, i) => i !== axis);
    const value = sym.type === "bool" ? graph.cast(sym, "int32") : sym;
    const result = graph.add(
      op,
      [value],
      { shape: after.map((i) => shape[i]!), type: "int64" },
      { axis: layout.indexOf(axis), keepdims: 0 },
    );
    return backend.give(graph.cast(result, "int32"), shape, "int32", after);
  };
}

/** ONNX has no running product: one multiplication a step. */
function cumulate(graph: Graph, x: Sym, axis: number, exclusive: boolean, reverse: boolean): Sym {
  const length = x.shape[axis]!;
  if (length === 0) return x;
  const shape = x.shape.with(axis, 1);
  const spec = { shape, type: x.type };
  const parts = [...graph.addMany("Split", [x], new Array(length).fill(spec), { axis, num_outputs: length })];
  if (reverse) parts.reverse();
  const one = graph.add("Expand", [graph.scalar(1, x.type), graph.int64(shape)], spec);
  const results: Sym[] = [];
  let product = one;
  for (const part of parts) {
    const next = graph.add("Mul", [product, part], spec);
    results.push(exclusive ? product : next);
    product = next;
  }
  if (reverse) results.reverse();
  return graph.add("Concat", results, x, { axis });
}

function constant(
  backend: Parameters<Kernel>[0]["backend"],
  shape: number[],
  dtype: "float32" | "int32" | "bool",
  value: number,
) {
  const Numbers = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
  return backend.constant(new Numbers(sizeOf(shape)).fill(value), shape, dtype);
}
