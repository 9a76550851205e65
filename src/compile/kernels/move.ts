import type { Graph, Sym } from "../graph.ts";

/** Single nodes that move elements of a value about; the value itself where nothing moves. */
export function transpose(graph: Graph, x: Sym, perm: readonly number[]): Sym {
  if (perm.every((axis, i) => axis === i)) return x;
  return graph.add("Transpose", [x], { shape: perm.map((axis) => x.shape[axis]!), type: x.type }, { perm });
}

/** Zeros added on both ends of every axis, or, where an amount is negative, so much cut off. */
export function pad(graph: Graph, x: Sym, begin: readonly number[], end: readonly number[]): Sym {
  if ([...begin, ...end].every((amount) => amount === 0)) return x;
  const shape = x.shape.map((length, axis) => length + begin[axis]! + end[axis]!);
  return graph.add("Pad", [x, graph.int64([...begin, ...end]), graph.scalar(0, x.type)], { shape, type: x.type });
}

export function part(graph: Graph, x: Sym, axis: number, begin: number, length: number): Sym {
  if (begin === 0 && length === x.shape[axis]) return x;
  const [starts, ends, axes] = [begin, begin + length, axis].map((value) => graph.int64([value])) as [Sym, Sym, Sym];
  return graph.add("Slice", [x, starts, ends, axes], { shape: x.shape.with(axis, length), type: x.type });
}

export function backwards(graph: Graph, x: Sym, axes: readonly number[]): Sym {
  const each = (value: number) => graph.int64(axes.map(() => value));
  return graph.add("Slice", [x, each(-1), each(-(2 ** 31)), graph.int64(axes), each(-1)], x);
}

export function join(graph: Graph, parts: readonly Sym[], axis: number): Sym {
  if (parts.length === 1) return parts[0]!;
  const length = parts.reduce((sum, one) => sum + one.shape[axis]!, 0);
  return graph.add("Concat", parts, { shape: parts[0]!.shape.with(axis, length), type: parts[0]!.type }, { axis });
}
