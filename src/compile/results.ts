import type { Graph } from "./graph.ts";

/**
 * Lets the nodes that compute a graph's results write them under their final names. Otherwise each result is copied once
 * more, which for a training step is all parameters and all that their optimiser remembers. Inputs, constants and what
 * is a result twice keep their copy. Changes the graph and gives it back; it can be traced no further.
 */
export function nameResults(graph: Graph): Graph {
  for (const [i, output] of graph.outputs.entries()) {
    const copy = output.node!;
    const source = copy.inputs[0]!;
    if (!source.node || graph.outputs.includes(source)) continue;
    (source as { name: string }).name = output.name;
    graph.outputs[i] = source;
    graph.nodes.splice(graph.nodes.indexOf(copy), 1);
  }
  return graph;
}
