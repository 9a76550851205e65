import protobuf from "protobufjs";

/** A tensor of an `.onnx` file whose numbers are in a second file. */
export interface ExternalTensor {
  readonly name: string;
  /** As the file writes it: a path from the folder that it is in. */
  readonly location: string;
  /** Bytes from the second file's begin. */
  readonly offset: number;
  /** Bytes; null: all that follow. */
  readonly length: number | null;
  /** It is an initialiser or a Constant of the graph itself, not of a branch, a loop or a function inside it. */
  readonly outermost: boolean;
}

/** Fields of onnx.proto that lead to tensors; protobuf passes over all others. */
const { nested } = protobuf.Root.fromJSON({
  nested: {
    Entry: { fields: { key: { type: "string", id: 1 }, value: { type: "string", id: 2 } } },
    Tensor: {
      fields: {
        name: { type: "string", id: 8 },
        external_data: { rule: "repeated", type: "Entry", id: 13 },
        data_location: { type: "int32", id: 14 },
      },
    },
    Sparse: { fields: { values: { type: "Tensor", id: 1 }, indices: { type: "Tensor", id: 2 } } },
    Attribute: {
      fields: {
        t: { type: "Tensor", id: 5 },
        g: { type: "Graph", id: 6 },
        tensors: { rule: "repeated", type: "Tensor", id: 10 },
        graphs: { rule: "repeated", type: "Graph", id: 11 },
        sparse_tensor: { type: "Sparse", id: 22 },
        sparse_tensors: { rule: "repeated", type: "Sparse", id: 23 },
      },
    },
    Node: {
      fields: { op_type: { type: "string", id: 4 }, attribute: { rule: "repeated", type: "Attribute", id: 5 } },
    },
    Graph: {
      fields: {
        node: { rule: "repeated", type: "Node", id: 1 },
        initializer: { rule: "repeated", type: "Tensor", id: 5 },
        sparse_initializer: { rule: "repeated", type: "Sparse", id: 15 },
      },
    },
    Function: { fields: { node: { rule: "repeated", type: "Node", id: 7 } } },
    Model: {
      fields: {
        graph: { type: "Graph", id: 7 },
        functions: { rule: "repeated", type: "Function", id: 25 },
      },
    },
  },
});
const Model = nested!.Model as protobuf.Type;

interface Tensor {
  readonly name: string;
  readonly external_data: readonly { readonly key: string; readonly value: string }[];
  readonly data_location: number;
}
interface Sparse {
  readonly values: Tensor | null;
  readonly indices: Tensor | null;
}
interface Node {
  readonly op_type: string;
  readonly attribute: readonly {
    readonly t: Tensor | null;
    readonly g: Graph | null;
    readonly tensors: readonly Tensor[];
    readonly graphs: readonly Graph[];
    readonly sparse_tensor: Sparse | null;
    readonly sparse_tensors: readonly Sparse[];
  }[];
}
interface Graph {
  readonly node: readonly Node[];
  readonly initializer: readonly Tensor[];
  readonly sparse_initializer: readonly Sparse[];
}

/** TensorProto.DataLocation. */
const EXTERNAL = 1;

/** The tensors of an `.onnx` file that are in other files; none where the bytes are no such file. */
export function externalTensors(file: Uint8Array): ExternalTensor[] {
  let model: { readonly graph: Graph | null; readonly functions: readonly { readonly node: readonly Node[] }[] };
  try {
    model = Model.decode(file) as unknown as typeof model;
  } catch {
    return [];
  }
  const found: ExternalTensor[] = [];
  if (model.graph) inGraph(model.graph, true, found);
  for (const { node } of model.functions) inNodes(node, false, found);
  return found;
}

function inGraph({ node, initializer, sparse_initializer }: Graph, outermost: boolean, found: ExternalTensor[]): void {
  for (const tensor of initializer) note(tensor, outermost, found);
  for (const sparse of sparse_initializer) inSparse(sparse, found);
  inNodes(node, outermost, found);
}

function inNodes(nodes: readonly Node[], outermost: boolean, found: ExternalTensor[]): void {
  for (const { op_type, attribute } of nodes)
    for (const { t, g, tensors, graphs, sparse_tensor, sparse_tensors } of attribute) {
      if (t) note(t, outermost && op_type === "Constant", found);
      for (const tensor of tensors) note(tensor, false, found);
      for (const graph of g ? [g, ...graphs] : graphs) inGraph(graph, false, found);
      for (const sparse of sparse_tensor ? [sparse_tensor, ...sparse_tensors] : sparse_tensors) inSparse(sparse, found);
    }
}

function inSparse({ values, indices }: Sparse, found: ExternalTensor[]): void {
  for (const tensor of [values, indices]) if (tensor) note(tensor, false, found);
}

function note({ name, external_data, data_location }: Tensor, outermost: boolean, found: ExternalTensor[]): void {
  if (data_location !== EXTERNAL) return;
  const entry = (key: string) => external_data.find((each) => each.key === key)?.value;
  const length = entry("length");
  found.push({
    name,
    location: entry("location") ?? "",
    offset: Number(entry("offset") ?? 0),
    length: length === undefined ? null : Number(length),
    outermost,
  });
}
