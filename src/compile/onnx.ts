import protobuf from "protobufjs";
import { PipeError } from "../errors.ts";
import { type Attribute, type ElementType, type Graph, type GraphNode, ONNX_TYPES, type Sym } from "./graph.ts";

/** The part of onnx.proto that a traced graph needs; field numbers are the standard's. */
const schema = protobuf.Root.fromJSON({
  nested: {
    OperatorSet: message({ domain: ["string", 1], version: ["int64", 2] }),
    Dimension: message({ dim_value: ["int64", 1], dim_param: ["string", 2] }),
    Shape: message({ dim: ["Dimension", 1, "repeated"] }),
    TensorType: message({ elem_type: ["int32", 1], shape: ["Shape", 2] }),
    Type: message({ tensor_type: ["TensorType", 1] }),
    ValueInfo: message({ name: ["string", 1], type: ["Type", 2] }),
    Tensor: message({
      dims: ["int64", 1, "repeated"],
      data_type: ["int32", 2],
      name: ["string", 8],
      raw_data: ["bytes", 9],
    }),
    Attribute: message({
      name: ["string", 1],
      f: ["float", 2],
      i: ["int64", 3],
      s: ["bytes", 4],
      ints: ["int64", 8, "repeated"],
      type: ["int32", 20],
    }),
    Node: message({
      input: ["string", 1, "repeated"],
      output: ["string", 2, "repeated"],
      name: ["string", 3],
      op_type: ["string", 4],
      attribute: ["Attribute", 5, "repeated"],
      domain: ["string", 7],
    }),
    Graph: message({
      node: ["Node", 1, "repeated"],
      name: ["string", 2],
      initializer: ["Tensor", 5, "repeated"],
      input: ["ValueInfo", 11, "repeated"],
      output: ["ValueInfo", 12, "repeated"],
    }),
    Note: message({ key: ["string", 1], value: ["string", 2] }),
    Model: message({
      ir_version: ["int64", 1],
      producer_name: ["string", 2],
      graph: ["Graph", 7],
      opset_import: ["OperatorSet", 8, "repeated"],
      metadata_props: ["Note", 14, "repeated"],
    }),
  },
});
const Model = schema.lookupType("Model");

/** Operator set and file version that the kernels are written for. */
const OPSET = 21;
const IR_VERSION = 10;
/** protobuf's own limit for one message. */
const LIMIT = 2 ** 31 - 1;

/**
 * A graph as a self-contained `.onnx` file, with free text by name in its `metadata_props`. Throws a PipeError when its
 * constants exceed protobuf's 2 GiB.
 */
export function encode(graph: Graph, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const bytes = graph.constants.reduce((sum, sym) => sum + sym.constant!.byteLength, 0);
  if (bytes > LIMIT)
    throw new PipeError(`${graph.name} has ${(bytes / 2 ** 30).toFixed(1)} GiB of weights; one graph can hold 2 GiB.`, {
      hint: "Split the network into functions that are compiled apart, or run it with engine tensorflow.",
    });
  return Model.encode({
    ir_version: IR_VERSION,
    producer_name: "affect-pipe",
    opset_import: [{ domain: "", version: OPSET }, ...ownDomains(graph).map((domain) => ({ domain, version: 1 }))],
    graph: {
      name: graph.name,
      node: graph.nodes.map(encodeNode),
      initializer: graph.constants.map(encodeConstant),
      input: graph.inputs.map(encodeInfo),
      output: graph.outputs.map(encodeInfo),
    },
    metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }).finish();
}

/** What an `.onnx` file says of itself in its `metadata_props`. */
export function metadataOf(file: Uint8Array): Record<string, string> {
  const { metadata_props } = Model.decode(file) as unknown as { metadata_props: { key: string; value: string }[] };
  return Object.fromEntries(metadata_props.map(({ key, value }) => [key, value]));
}

/** How often each operator occurs in an `.onnx` file, e.g. to count the Transpose nodes left in an optimised one. */
export function countOps(file: Uint8Array): Record<string, number> {
  const model = Model.decode(file) as unknown as { graph: { node: { op_type: string }[] } };
  const counts: Record<string, number> = {};
  for (const { op_type } of model.graph.node) counts[op_type] = (counts[op_type] ?? 0) + 1;
  return counts;
}

/** An operator outside the standard is written `domain:Operator`. */
function domainOf({ op }: GraphNode): [domain: string, op: string] {
  const colon = op.indexOf(":");
  return colon < 0 ? ["", op] : [op.slice(0, colon), op.slice(colon + 1)];
}

const ownDomains = ({ nodes }: Graph) => [
  ...new Set(nodes.map((node) => domainOf(node)[0]).filter((domain) => domain)),
];

function encodeNode(node: GraphNode, index: number): object {
  const [domain, op] = domainOf(node);
  return {
    name: `${op}_${index}`,
    op_type: op,
    domain,
    input: node.inputs.map((sym) => sym?.name ?? ""),
    output: node.outputs.map((sym) => sym.name),
    attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...encodeAttribute(value) })),
  };
}

// The numbers are AttributeProto.AttributeType.
function encodeAttribute(value: Attribute): object {
  if (typeof value === "number") return { i: value, type: 2 };
  if (typeof value === "string") return { s: new TextEncoder().encode(value), type: 3 };
  if ("f" in value) return { f: value.f, type: 1 };
  return { ints: value, type: 7 };
}

function encodeConstant(sym: Sym): object {
  const data = sym.constant!;
  return {
    name: sym.name,
    dims: sym.shape,
    data_type: ONNX_TYPES[sym.type as ElementType],
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function encodeInfo(sym: Sym): object {
  const dims: readonly (number | string)[] = sym.dims ?? sym.shape;
  const shape = { dim: dims.map((size) => (typeof size === "string" ? { dim_param: size } : { dim_value: size })) };
  return { name: sym.name, type: { tensor_type: { elem_type: ONNX_TYPES[sym.type], shape } } };
}

function message(fields: Record<string, [type: string, id: number, rule?: "repeated"]>): protobuf.IType {
  const entries = Object.entries(fields).map(([name, [type, id, rule]]) => [name, { type, id, ...(rule && { rule }) }]);
  return { fields: Object.fromEntries(entries) };
}
