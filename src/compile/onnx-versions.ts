import protobuf from "protobufjs";

/** What an `.onnx` file was written for: its file format (IR) and, by domain, its operator sets; "" is the standard's. */
export interface OnnxVersions {
  readonly ir: number;
  readonly opsets: Readonly<Record<string, number>>;
}

/** Fields of onnx.proto's ModelProto and OperatorSetIdProto; protobuf passes over all others. */
const { nested } = protobuf.Root.fromJSON({
  nested: {
    OperatorSet: { fields: { domain: { type: "string", id: 1 }, version: { type: "int64", id: 2 } } },
    Model: {
      fields: {
        ir_version: { type: "int64", id: 1 },
        opset_import: { rule: "repeated", type: "OperatorSet", id: 8 },
      },
    },
  },
});
const Model = nested!.Model as protobuf.Type;

/** Undefined where the bytes are no such file. */
export function onnxVersions(file: Uint8Array): OnnxVersions | undefined {
  try {
    const { ir_version, opset_import } = Model.toObject(Model.decode(file), { longs: Number, defaults: true });
    const sets = opset_import as { domain: string; version: number }[];
    if (sets.length === 0) return undefined;
    const known = sets.map(({ domain, version }) => [domain === "ai.onnx" ? "" : domain, version]);
    return { ir: ir_version as number, opsets: Object.fromEntries(known) };
  } catch {
    return undefined;
  }
}
