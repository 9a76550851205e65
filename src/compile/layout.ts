import type { Graph, Numbers, Sym } from "./graph.ts";

/**
 * How a tensor lies in memory: `layout[p]` is the logical axis found at physical axis p. The logical axes are
 * TensorFlow.js' (NHWC); a convolution's result stays physically NCHW, [0, 3, 1, 2], and ops that can work on it
 * there do, so that a Transpose is made only for an op that needs the logical order.
 */
export type Layout = readonly number[];

export const NCHW: Layout = [0, 3, 1, 2];

export const logical = (rank: number): Layout => Array.from({ length: rank }, (_, i) => i);

export const isLogical = (layout: Layout): boolean => layout.every((axis, p) => axis === p);

/** Shape in memory of a tensor of this logical shape. */
export const physical = (shape: readonly number[], layout: Layout): number[] => layout.map((axis) => shape[axis]!);

/** The layout as seen by a tensor with `extra` more leading axes. */
export const extend = (layout: Layout, extra: number): Layout => [
  ...logical(extra),
  ...layout.map((axis) => axis + extra),
];

/** The layout left when some logical axes are gone. */
export function without(layout: Layout, axes: readonly number[]): Layout {
  const kept = logical(layout.length).filter((axis) => !axes.includes(axis));
  return layout.filter((axis) => !axes.includes(axis)).map((axis) => kept.indexOf(axis));
}

/** Brings a value from one layout into another: nothing, a Reshape where only axes of length 1 move, or a Transpose. */
export function convert(graph: Graph, sym: Sym, from: Layout, to: Layout): Sym {
  const perm = to.map((axis) => from.indexOf(axis));
  if (isLogical(perm)) return sym;
  const shape = perm.map((p) => sym.shape[p]!);
  if (keepsOrder(perm, sym.shape)) return graph.reshape(sym, shape);
  if (sym.constant) return graph.constant(permute(sym.constant, sym.shape, perm), shape, sym.type);
  return graph.add("Transpose", [sym], { shape, type: sym.type }, { perm });
}

/** Copies numbers of one shape into the order of permuted axes. */
export function permute<T extends Numbers>(data: T, shape: readonly number[], perm: readonly number[]): T {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const sizes = perm.map((p) => shape[p]!);
  const steps = perm.map((p) => strides[p]!);
  const result = new (data.constructor as new (length: number) => T)(data.length);
  const index = new Array<number>(sizes.length).fill(0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    result[to] = data[from]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      index[axis]! += 1;
      if (index[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** True when the axes longer than 1 keep their order, so that memory does not change. */
function keepsOrder(perm: readonly number[], shape: readonly number[]): boolean {
  const long = perm.filter((p) => shape[p] !== 1);
  return long.every((p, i) => i === 0 || long[i - 1]! < p);
}
