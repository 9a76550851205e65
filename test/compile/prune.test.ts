import { expect, test } from "vitest";
import { Graph } from "../../src/compile/graph.ts";
import { prune } from "../../src/compile/prune.ts";

test("what no output needs goes, and all else stays in its order", () => {
  const graph = new Graph("graph");
  const x = graph.input("x", [2, 3], "float32");
  const unused = graph.input("unused", [2], "float32");
  const spec = { shape: [2, 3], type: "float32" } as const;
  const first = graph.add("Relu", [x], spec);
  const dead = graph.add("Neg", [first], spec);
  graph.add("Concat", [dead, first], { ...spec, shape: [4, 3] }, { axis: 0 });
  const [, second] = graph.addMany("Split", [first], [spec, spec], { axis: 0, num_outputs: 2 });
  graph.output("y", graph.add("Add", [second!, x], spec));
  prune(graph);
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Relu", "Split", "Add", "Identity"]);
  expect(graph.inputs).toEqual([x, unused]);
  prune(graph);
  expect(graph.nodes).toHaveLength(4);
});
