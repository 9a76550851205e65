import type { Graph, GraphNode, Sym } from "./graph.ts";

/** Part of a vector: where it begins, and the value that it is in a graph. */
export interface VectorPiece {
  readonly at: number;
  readonly value: Sym;
}

/**
 * Where a graph does nothing with a vector but split it, takes the pieces as inputs of its own, in the shapes in which
 * they are used: windows on the vector, instead of a copy of all of it. Changes the graph. Gives the pieces in the order
 * in which they lie, or null where the graph needs the vector as it is.
 */
export function splitInput(graph: Graph, vector: Sym): VectorPiece[] | null {
  const users = usersOf(graph);
  const [split, ...others] = users.get(vector) ?? [];
  if (others.length > 0 || split?.op !== "Split" || graph.outputs.includes(vector)) return null;
  const pieces: VectorPiece[] = [];
  const replaced = new Map<Sym, Sym>();
  const gone = new Set<GraphNode>([split]);
  let at = 0;
  for (const part of split.outputs) {
    const [reshape, ...more] = users.get(part) ?? [];
    const whole = more.length === 0 && reshape?.op === "Reshape" ? reshape : null;
    if (whole) gone.add(whole);
    const old = whole ? whole.outputs[0]! : part;
    if (reshape) {
      const value: Sym = { ...old, name: `${vector.name}/${pieces.length}`, node: null };
      pieces.push({ at, value });
      replaced.set(old, value);
    }
    at += part.shape[0]!;
  }
  graph.inputs.splice(graph.inputs.indexOf(vector), 1, ...pieces.map(({ value }) => value));
  graph.nodes.splice(0, graph.nodes.length, ...graph.nodes.filter((node) => !gone.has(node)));
  for (const node of graph.nodes)
    node.inputs.forEach((sym, i) => {
      const value = sym && replaced.get(sym);
      if (value) (node.inputs as (Sym | null)[])[i] = value;
    });
  return pieces;
}

/**
 * Where a graph's output is vectors joined, gives each as an output of its own, in the shape in which it was computed:
 * whoever knows where they belong has them written there. Changes the graph.
 */
export function splitOutput(graph: Graph, output: Sym): VectorPiece[] {
  const joined = output.node!.inputs[0]!;
  const parts = joined.node?.op === "Concat" ? (joined.node.inputs as readonly Sym[]) : [joined];
  const pieces: VectorPiece[] = [];
  let at = 0;
  graph.nodes.splice(graph.nodes.indexOf(output.node!), 1);
  const position = graph.outputs.indexOf(output);
  graph.outputs.splice(position, 1);
  for (const part of parts) {
    const source = part.node?.op === "Reshape" ? part.node.inputs[0]! : part;
    graph.output(`${output.name}/${pieces.length}`, source);
    pieces.push({ at, value: graph.outputs.at(-1)! });
    at += part.shape[0]!;
  }
  return pieces;
}

function usersOf(graph: Graph): Map<Sym, GraphNode[]> {
  const users = new Map<Sym, GraphNode[]>();
  for (const node of graph.nodes)
    for (const sym of new Set(node.inputs)) if (sym) users.set(sym, [...(users.get(sym) ?? []), node]);
  return users;
}
