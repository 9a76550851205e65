import protobuf from "protobufjs";

const fields = (own: Record<string, [type: string, id: number, rule?: "repeated"]>): protobuf.IType => ({
  fields: Object.fromEntries(
    Object.entries(own).map(([name, [type, id, rule]]) => [name, { type, id, ...(rule && { rule }) }]),
  ),
});
const Model = protobuf.Root.fromJSON({
  nested: {
    Entry: fields({ key: ["string", 1], value: ["string", 2] }),
    Dim: fields({ dim_value: ["int64", 1], dim_param: ["string", 2] }),
    Shape: fields({ dim: ["Dim", 1, "repeated"] }),
    TensorType: fields({ elem_type: ["int32", 1], shape: ["Shape", 2] }),
    Type: fields({ tensor_type: ["TensorType", 1] }),
    Info: fields({ name: ["string", 1], type: ["Type", 2] }),
    Tensor: fields({
      dims: ["int64", 1, "repeated"],
      data_type: ["int32", 2],
      name: ["string", 8],
      raw_data: ["bytes", 9],
      external_data: ["Entry", 13, "repeated"],
      data_location: ["int32", 14],
    }),
    Attribute: fields({
      name: ["string", 1],
      i: ["int64", 3],
      t: ["Tensor", 5],
      g: ["Graph", 6],
      type: ["int32", 20],
    }),
    Node: fields({
      input: ["string", 1, "repeated"],
      output: ["string", 2, "repeated"],
      op_type: ["string", 4],
      attribute: ["Attribute", 5, "repeated"],
    }),
    Graph: fields({
      node: ["Node", 1, "repeated"],
      name: ["string", 2],
      initializer: ["Tensor", 5, "repeated"],
      input: ["Info", 11, "repeated"],
      output: ["Info", 12, "repeated"],
    }),
    Opset: fields({ domain: ["string", 1], version: ["int64", 2] }),
    Model: fields({ ir_version: ["int64", 1], graph: ["Graph", 7], opset_import: ["Opset", 8, "repeated"] }),
  },
}).lookupType("Model");

/** TensorProto.DataType. */
export const TYPES = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, text: 8, bool: 9, f16: 10, f64: 11 } as const;
export type TypeName = keyof typeof TYPES;

export interface Part {
  readonly [field: string]: unknown;
}

/** A constant, its numbers in the file or at a place in another. */
export function tensor(
  name: string,
  dims: readonly number[],
  type: TypeName,
  data: ArrayBufferView | { readonly location: string; readonly offset?: number; readonly length?: number },
): Part {
  const own = { name, dims, data_type: TYPES[type] };
  if (ArrayBuffer.isView(data))
    return { ...own, raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const external_data = Object.entries(data).map(([key, value]) => ({ key, value: `${value}` }));
  return { ...own, data_location: 1, external_data };
}

export function node(op: string, input: readonly string[], output: readonly string[], attribute: Part[] = []): Part {
  return { op_type: op, input, output, attribute };
}

/** An attribute that is a whole number, a tensor or a graph. */
export const attribute = {
  int: (name: string, i: number): Part => ({ name, i, type: 2 }),
  tensor: (name: string, t: Part): Part => ({ name, t, type: 4 }),
  graph: (name: string, g: Part): Part => ({ name, g, type: 5 }),
};

/** An input or output; axes of any length are strings. */
export function value(name: string, type: TypeName, shape: readonly (number | string)[]): Part {
  const dim = shape.map((length) => (typeof length === "string" ? { dim_param: length } : { dim_value: length }));
  return { name, type: { tensor_type: { elem_type: TYPES[type], shape: { dim } } } };
}

export interface GraphParts {
  readonly nodes: readonly Part[];
  readonly constants?: readonly Part[];
  readonly inputs?: readonly Part[];
  readonly outputs: readonly Part[];
}

export const graph = ({ nodes, constants = [], inputs = [], outputs }: GraphParts): Part => ({
  name: "g",
  node: nodes,
  initializer: constants,
  input: inputs,
  output: outputs,
});

/** An `.onnx` file written by hand, as other people's tools write theirs. */
export function onnxModel(parts: GraphParts, opset = 17): Uint8Array {
  const model = { ir_version: 8, graph: graph(parts), opset_import: [{ domain: "", version: opset }] };
  return Model.encode(Model.fromObject(model)).finish();
}
