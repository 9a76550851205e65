import type { Graph, Sym } from "./graph.ts";

/** Takes nodes out whose results nobody needs: ONNX Runtime would compute them. Changes the graph; its inputs stay. */
export function prune(graph: Graph): void {
  const needed = new Set<Sym | null>(graph.outputs);
  const kept = graph.nodes.toReversed().filter((node) => {
    const isNeeded = node.outputs.some((sym) => needed.has(sym));
    if (isNeeded) for (const input of node.inputs) needed.add(input);
    return isNeeded;
  });
  graph.nodes.splice(0, graph.nodes.length, ...kept.reverse());
}
