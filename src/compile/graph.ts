import { createHash } from "node:crypto";

/** Element types of the values in a graph. */
export type ElementType = "float32" | "int32" | "int64" | "uint8" | "bool";
export type Numbers = Float32Array | Int32Array | Uint8Array | BigInt64Array;

/** One value (edge) of a graph. All shapes are known while tracing. */
export interface Sym {
  readonly name: string;
  readonly shape: readonly number[];
  /** Of inputs and outputs of a graph for any batch: the shape, its open axes by name. */
  readonly dims?: readonly (number | string)[];
  readonly type: ElementType;
  /** What computes it; null for inputs and constants. */
  readonly node: GraphNode | null;
  /** Its numbers, for constants. */
  readonly constant: Numbers | null;
}

/** Integers are written plain, a float as `{ f }`, so that 1 and 1.0 stay apart. */
export type Attribute = number | string | readonly number[] | { readonly f: number };
export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly (Sym | null)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly Sym[];
}
export interface OutputSpec {
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/**
 * An ONNX graph under construction, in the default operator set. Equal nodes and equal constants are made once, so
 * kernels need not remember what they asked for before.
 */
export class Graph {
  readonly name: string;
  readonly inputs: Sym[] = [];
  readonly nodes: GraphNode[] = [];
  readonly constants: Sym[] = [];
  readonly outputs: Sym[] = [];
  readonly #known = new Map<string, readonly Sym[]>();
  readonly #knownConstants = new Map<string, Sym>();
  #count = 0;

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, shape: readonly number[], type: ElementType): Sym {
    const sym: Sym = { name, shape: [...shape], type, node: null, constant: null };
    this.inputs.push(sym);
    return sym;
  }

  /** Names a result. An Identity stands between, so that an input or a constant may be an output too. */
  output(name: string, sym: Sym): void {
    const outputs: Sym[] = [];
    const node: GraphNode = { op: "Identity", inputs: [sym], attributes: {}, outputs };
    outputs.push({ name, shape: sym.shape, type: sym.type, node, constant: null });
    this.nodes.push(node);
    this.outputs.push(...outputs);
  }

  constant(data: Numbers, shape: readonly number[], type: ElementType): Sym {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${type}[${shape}]${createHash("sha1").update(bytes).digest("base64")}`;
    let sym = this.#knownConstants.get(key);
    if (!sym) {
      sym = { name: this.#name("/c"), shape: [...shape], type, node: null, constant: data };
      this.#knownConstants.set(key, sym);
      this.constants.push(sym);
    }
    return sym;
  }

  /** A vector of int64: what ONNX takes shapes, axes and positions as. */
  int64(values: readonly number[]): Sym {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length], "int64");
  }

  /** A float32 scalar, or one of another type. */
  scalar(value: number, type: ElementType = "float32"): Sym {
    switch (type) {
      case "float32":
        return this.constant(Float32Array.of(value), [], type);
      case "int32":
        return this.constant(Int32Array.of(value), [], type);
      case "int64":
        return this.constant(BigInt64Array.of(BigInt(value)), [], type);
      default:
        return this.constant(Uint8Array.of(value), [], type);
    }
  }

  /** Appends a node with one output, shaped and typed like `like` unless told otherwise. */
  add(
    op: string,
    inputs: readonly (Sym | null)[],
    output: { shape: readonly number[]; type: ElementType },
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Sym {
    return this.addMany(op, inputs, [output], attributes)[0]!;
  }

  addMany(
    op: string,
    inputs: readonly (Sym | null)[],
    specs: readonly OutputSpec[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly Sym[] {
    // The number of outputs too: MaxPool computes its positions only when asked for.
    const key = `${op}(${inputs.map((input) => input?.name ?? "")})${JSON.stringify(attributes)}${specs.length}`;
    const known = this.#known.get(key);
    if (known) return known;
    const outputs: Sym[] = [];
    const node: GraphNode = { op, inputs, attributes, outputs };
    for (const { shape, type } of specs)
      outputs.push({ name: this.#name("/v"), shape: [...shape], type, node, constant: null });
    this.nodes.push(node);
    this.#known.set(key, outputs);
    return outputs;
  }

  reshape(sym: Sym, shape: readonly number[]): Sym {
    if (equal(sym.shape, shape)) return sym;
    if (sym.constant) return this.constant(sym.constant, shape, sym.type);
    // Of two reshapes in a row only the second counts.
    const source = sym.node?.op === "Reshape" ? sym.node.inputs[0]! : sym;
    if (equal(source.shape, shape)) return source;
    return this.add("Reshape", [source, this.int64(shape)], { shape, type: sym.type }, { allowzero: 1 });
  }

  cast(sym: Sym, type: ElementType): Sym {
    if (sym.type === type) return sym;
    // Bytes fit into every type they are cast to here, so the step between may go.
    const source =
      sym.node?.op === "Cast" && sym.node.inputs[0]!.type === "uint8" && type !== "bool" ? sym.node.inputs[0]! : sym;
    if (source.type === type) return source;
    return this.add("Cast", [source], { shape: sym.shape, type }, { to: ONNX_TYPES[type] });
  }

  #name(prefix: string): string {
    this.#count += 1;
    return `${prefix}${this.#count}`;
  }
}

/** TensorProto.DataType. */
export const ONNX_TYPES: Readonly<Record<ElementType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 };

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
