import { PipeError } from "../errors.ts";
import type { Graph, GraphNode, Sym } from "./graph.ts";
import { type InputSpec, trace } from "./trace.ts";
import type { Program } from "./types.ts";

/** Two batches that no size of a network is a multiple of: where the traces differ, the batch is what makes it. */
const [ONE, OTHER] = [37, 41] as const;

/** Shape and type of an input; its first axis may have a name instead of a length. */
export interface OpenInput {
  readonly shape: readonly (number | string)[];
  readonly dtype: InputSpec["dtype"];
}

/**
 * Traces a program for a first axis of any length, which all inputs share and name alike. A traced graph has all lengths
 * in it, so it is traced for two, and what differs is written in terms of the inputs' own length.
 *
 * @throws PipeError when something depends on the length that cannot be written so
 */
export function traceOpen(name: string, program: Program, inputs: Record<string, OpenInput>): Graph {
  const axis = nameOf(name, inputs);
  const [graph, other] = [ONE, OTHER].map((length) => trace(name, program, withLength(inputs, length))) as [
    Graph,
    Graph,
  ];
  if (graph.nodes.length !== other.nodes.length) throw fixed(name, "the number of its operations");
  const length = lengthOf(graph);
  graph.nodes.forEach((node, i) => {
    const twin = other.nodes[i]!;
    if (node.op !== twin.op || JSON.stringify(node.attributes) !== JSON.stringify(twin.attributes))
      throw fixed(name, `${node.op} or ${twin.op}`);
    const own = node.inputs.map((sym, k) => opened(name, node, k, sym, twin.inputs[k]!, length));
    graph.nodes[i] = { ...node, inputs: own };
  });
  graph.nodes.unshift(...length.nodes);
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  graph.constants.splice(0, graph.constants.length, ...graph.constants.filter((sym) => used.has(sym)));
  for (const list of ["inputs", "outputs"] as const)
    graph[list].forEach((sym, i) => {
      const dims = sym.shape.map((size, k) => dimOf(name, size, other[list][i]!.shape[k]!, axis));
      graph[list][i] = { ...sym, dims };
    });
  return graph;
}

function nameOf(name: string, inputs: Record<string, OpenInput>): string {
  const names = new Set(Object.values(inputs).map(({ shape }) => shape[0]));
  const inner = Object.values(inputs).some(({ shape }) => shape.slice(1).some((size) => typeof size === "string"));
  const [axis] = names;
  if (names.size === 1 && typeof axis === "string" && !inner) return axis;
  throw new PipeError(`${name}: only the first axis of all inputs together may be open, under one name.`);
}

const withLength = (inputs: Record<string, OpenInput>, length: number): Record<string, InputSpec> =>
  Object.fromEntries(
    Object.entries(inputs).map(([key, { shape, dtype }]) => [
      key,
      { shape: [length, ...(shape.slice(1) as number[])], dtype },
    ]),
  );

/** The inputs' own length, as a vector of one, made when it is first asked for. */
interface Length {
  readonly graph: Graph;
  /** What has to go before all other nodes. */
  readonly nodes: GraphNode[];
  get(): Sym;
  add(op: string, inputs: readonly Sym[], like: Pick<Sym, "shape" | "type">, attributes?: GraphNode["attributes"]): Sym;
}

function lengthOf(graph: Graph): Length {
  const nodes: GraphNode[] = [];
  const add: Length["add"] = (op, inputs, like, attributes = {}) => {
    const before = graph.nodes.length;
    const sym = graph.add(op, inputs, like, attributes);
    nodes.push(...graph.nodes.splice(before));
    return sym;
  };
  const get = () => add("Shape", [graph.inputs[0]!], { shape: [1], type: "int64" }, { start: 0, end: 1 });
  return { graph, nodes, get, add };
}

/** An input of a node, with what differs between the two traces made to follow the length. */
function opened(
  name: string,
  node: GraphNode,
  at: number,
  sym: Sym | null,
  twin: Sym | null,
  length: Length,
): Sym | null {
  if (!sym?.constant || !twin?.constant) {
    if (sym?.name === twin?.name) return sym;
    throw fixed(name, node.op);
  }
  if (sym.type !== twin.type || sym.shape.length !== twin.shape.length) throw fixed(name, node.op);
  if (sym.type === "int64" && at === 1 && (node.op === "Reshape" || node.op === "Expand"))
    return target(name, node, sym, twin, length.graph);
  if (sym.shape.every((size, axis) => size === twin.shape[axis])) {
    if (Buffer.compare(bytesOf(sym), bytesOf(twin)) === 0) return sym;
    throw fixed(name, node.op);
  }
  return repeated(name, node, sym, twin, length);
}

const bytesOf = ({ constant }: Sym) => new Uint8Array(constant!.buffer, constant!.byteOffset, constant!.byteLength);

/** The shape that a Reshape or Expand makes. */
function target(name: string, node: GraphNode, sym: Sym, twin: Sym, graph: Graph): Sym {
  const [own, other] = [Array.from(sym.constant!, Number), Array.from(twin.constant!, Number)];
  if (own.length !== other.length) throw fixed(name, node.op);
  const differing = own.flatMap((size, axis) => (size === other[axis] ? [] : [axis]));
  if (differing.length === 0) return sym;
  const [axis] = differing as [number];
  dimOf(name, own[axis]!, other[axis]!, "");
  if (differing.length > 1 || own.includes(0)) throw fixed(name, node.op);
  if (node.op === "Reshape") return graph.int64(own.with(axis, -1));
  // What is expanded has the length already: 1 leaves it.
  if (node.inputs[0]!.shape.at(axis - own.length) !== own[axis]) throw fixed(name, node.op);
  return graph.int64(own.with(axis, 1));
}

/** A constant that has the same values for each step of its first axis, as a fresh state has. */
function repeated(name: string, node: GraphNode, sym: Sym, twin: Sym, { graph, get, add }: Length): Sym {
  const rest = sym.shape.slice(1);
  const values = sym.constant!;
  const size = rest.reduce((product, length) => product * length, 1);
  const alike = (data: NonNullable<Sym["constant"]>) =>
    Array.from<number | bigint>(data as ArrayLike<number>).every((x, i) => Object.is(x, values[i % size]));
  const follows = sym.shape[0] === ONE && twin.shape[0] === OTHER && rest.every((x, i) => x === twin.shape[i + 1]);
  if (!follows || !alike(values) || !alike(twin.constant!)) throw fixed(name, node.op);
  const one = graph.constant(values.slice(0, size), [1, ...rest], sym.type);
  const shape = add("Concat", [get(), graph.int64(rest)], { shape: [sym.shape.length], type: "int64" }, { axis: 0 });
  return add("Expand", [one, shape], sym);
}

/** A length in terms of the open one: itself, its name, or a multiple of that. */
function dimOf(name: string, own: number, other: number, axis: string): number | string {
  if (own === other) return own;
  const times = own / ONE;
  if (!Number.isInteger(times) || other !== times * OTHER) throw fixed(name, "a length");
  return times === 1 ? axis : `${times}*${axis}`;
}

function fixed(name: string, what: string): PipeError {
  return new PipeError(`${name} cannot be written for a batch of any size: ${what} depends on it.`, {
    hint: "Give the size: --batch N.",
  });
}
