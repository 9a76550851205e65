import { broadcast_util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";

/**
 * Spreading out as late as can be. Gradients of sums and means are one number for many elements, which TensorFlow.js
 * writes as a product with ones: here it stays small while it passes through element-wise functions, which broadcast for
 * nothing, and is spread only where something else needs it.
 */
export function spread(graph: Graph, sym: Sym, shape: readonly number[]): Sym {
  if (equal(sym.shape, shape)) return sym;
  return graph.add("Expand", [sym, graph.int64(shape)], { shape, type: sym.type });
}

/** What was spread; of an array of one number throughout, that number. */
export function unspread(graph: Graph, sym: Sym): Sym {
  if (sym.node?.op === "Expand") return unspread(graph, sym.node.inputs[0]!);
  const value = sym.shape.length > 0 ? uniform(sym) : null;
  return value === null ? sym : graph.scalar(value, sym.type);
}

/** The number that a constant consists of; null if it is not one throughout. */
export function uniform(sym: Sym): number | null {
  if (!sym.constant) return null;
  let known = values.get(sym);
  if (known === undefined) {
    const [first] = sym.constant;
    known = first !== undefined && sym.constant.every((x) => x === first) ? Number(first) : null;
    values.set(sym, known);
  }
  return known;
}
const values = new WeakMap<Sym, number | null>();

/** An element-wise function of small operands, spread to the shape that it is to have. */
export function combine(
  graph: Graph,
  operands: readonly Sym[],
  shape: readonly number[],
  build: (operands: Sym[], shape: readonly number[]) => Sym,
): Sym {
  const lean = operands.map((sym) => unspread(graph, sym));
  const inner = lean.map((sym) => [...sym.shape]).reduce((a, b) => broadcast_util.assertAndGetBroadcastShape(a, b));
  return spread(graph, build(lean, inner), shape);
}

/** The same for functions whose result may be an operand: x + 0, x · 1, x · 0. Null when it is none. */
export function shortcut(graph: Graph, op: string, a: Sym, b: Sym): Sym | null {
  const [x, y] = [uniform(a), uniform(b)];
  if (op === "Add") return y === 0 ? a : x === 0 ? b : null;
  if (op === "Sub") return y === 0 ? a : null;
  if (op === "Div") return y === 1 ? a : null;
  if (op !== "Mul") return null;
  if (y === 1) return a;
  if (x === 1) return b;
  return x === 0 || y === 0 ? graph.scalar(0, a.type) : null;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
