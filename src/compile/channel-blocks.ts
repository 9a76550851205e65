import { readFileSync } from "node:fs";
import { Graph, type GraphNode, type Sym } from "./graph.ts";

/**
 * Rewrites a graph so that ONNX Runtime's processor provider can keep it in its blocked layout (channels in groups of
 * one vector, NCHWc) and fuse each residual sum and activation into the convolution before it. Two things that it
 * cannot do there throw a whole chain of residual blocks back to plain layout, with a copy before and after every
 * convolution, since a sum is blocked only when all of its operands are:
 * - pooling over channels that do not fill their last block: the tensors that share these channels get zero channels up
 *   to the block's end. Convolutions compute those anyway.
 * - appending zero channels (a residual's shortcut that widens): done by a 1×1 convolution with the identity instead.
 *   An infinity in one channel would become NaN in the others of its pixel.
 *
 * Results are equal. The graph itself comes back where nothing is to be gained.
 */
export function channelBlocks(graph: Graph, block: number = blockOf()): Graph {
  const widened = widenings(graph);
  const families = channelFamilies(graph, widened);
  const padded = new Map<Sym, number>();
  for (const members of families.values()) {
    const channels = members.values().next().value!.shape[1]!;
    const whole = Math.ceil(channels / block) * block;
    if (whole > channels && fits(graph, members, widened)) for (const sym of members) padded.set(sym, whole);
  }
  return widened.size === 0 && padded.size === 0 ? graph : rebuild(graph, widened, padded);
}

/** Channels in a block. Where the processor does not say what it is, the smaller one never costs more. */
const blockOf = () => (hasAvx512() ? 16 : 8);

/** False also where the processor does not say. */
export function hasAvx512(): boolean {
  avx512 ??= flags().includes("avx512f");
  return avx512;
}

let avx512: boolean | undefined;

function flags(): string[] {
  try {
    return readFileSync("/proc/cpuinfo", "latin1").split(/\s+/);
  } catch {
    return [];
  }
}

/** Padding nodes that append zero channels and nothing else, on the way from one convolution's result to a sum with another's. */
function widenings(graph: Graph): Set<GraphNode> {
  const families = channelFamilies(graph, new Set());
  const familyOf = new Map<Sym, Set<Sym>>();
  for (const members of families.values()) for (const sym of members) familyOf.set(sym, members);
  const blocked = (sym: Sym) => [...(familyOf.get(sym) ?? [sym])].some((member) => member.node && isDense(member.node));
  return new Set(
    graph.nodes.filter(
      (node) =>
        appendsChannels(node) &&
        node.inputs[0]!.type === "float32" &&
        blocked(node.inputs[0]!) &&
        blocked(node.outputs[0]!),
    ),
  );
}

/** Tensors that must have the same channels, since nodes that treat each channel alone lie between them. */
function channelFamilies(graph: Graph, widened: ReadonlySet<GraphNode>): Set<Set<Sym>> {
  const families = new Map<Sym, Set<Sym>>();
  const family = (sym: Sym) => {
    const found = families.get(sym) ?? new Set([sym]);
    families.set(sym, found);
    return found;
  };
  for (const node of graph.nodes) {
    const tensors = [...carried(node), ...(isDense(node) || widened.has(node) ? node.outputs : [])];
    for (const sym of tensors) {
      const [one, other] = [family(tensors[0]!), family(sym)];
      if (one === other) continue;
      for (const member of other) {
        one.add(member);
        families.set(member, one);
      }
    }
  }
  return new Set(families.values());
}

/** Whether a family gains by whole blocks, and all that touches it knows what to do with more channels. */
function fits(graph: Graph, members: ReadonlySet<Sym>, widened: ReadonlySet<GraphNode>): boolean {
  const makers = [...members].map((sym) => sym.node);
  const readers = graph.nodes.filter((node) => node.inputs.some((input) => input && members.has(input)));
  const knows = (node: GraphNode | null) =>
    node !== null && (isDense(node) || widened.has(node) || carried(node).length > 0);
  return (
    readers.some((node) => node.op === "MaxPool" || node.op === "AveragePool") &&
    makers.some((node) => node !== null && isDense(node)) &&
    makers.every(knows) &&
    readers.every(knows)
  );
}

/** Tensors that a node which treats each channel alone reads and makes; none for all other nodes. */
function carried(node: GraphNode): readonly Sym[] {
  const [x, other] = node.inputs as [Sym, Sym | undefined];
  const y = node.outputs[0]!;
  if (y.shape.length !== 4) return [];
  switch (node.op) {
    case "Relu":
    case "Clip":
    case "LeakyRelu":
    case "MaxPool":
    case "AveragePool":
      return known(node) ? [x, y] : [];
    case "Add":
    case "Mul":
      if (perChannel(other!, y)) return [x, y];
      return alike(x, y) && alike(other!, y) ? [x, other!, y] : [];
    case "Conv":
      return isDepthwise(node) ? [x, y] : [];
    default:
      return [];
  }
}

const known = (node: GraphNode) => node.inputs.slice(1).every((sym) => sym === null || sym.constant !== null);

/** A constant [1, channels, 1, 1], such as a bias, or a single number. */
const perChannel = ({ constant, shape }: Sym, { shape: [, channels] }: Sym) =>
  constant !== null &&
  (shape.length === 0 || (shape.length === 4 && shape.every((n, axis) => n === (axis === 1 ? channels : 1))));

const alike = (a: Sym, b: Sym) => a.shape.length === b.shape.length && a.shape.every((n, axis) => n === b.shape[axis]);

const isDense = (node: GraphNode) =>
  node.op === "Conv" && (node.attributes.group ?? 1) === 1 && node.outputs[0]!.shape.length === 4 && known(node);

const isDepthwise = (node: GraphNode) =>
  node.op === "Conv" &&
  node.attributes.group !== 1 &&
  node.attributes.group === node.inputs[0]!.shape[1] &&
  node.attributes.group === node.outputs[0]!.shape[1] &&
  known(node);

function appendsChannels(node: GraphNode): boolean {
  if (node.op !== "Pad" || node.outputs[0]!.shape.length !== 4 || "mode" in node.attributes) return false;
  const [, pads, value] = node.inputs;
  const amounts = [...(pads?.constant ?? [])].map(Number);
  const zero = !value || Number(value.constant?.[0]) === 0;
  return zero && amounts.length === 8 && amounts.every((amount, i) => (i === 5 ? amount > 0 : amount === 0));
}

function rebuild(graph: Graph, widened: ReadonlySet<GraphNode>, padded: ReadonlyMap<Sym, number>): Graph {
  const result = new Graph(graph.name);
  const moved = new Map<Sym, Sym>();
  for (const sym of graph.inputs) moved.set(sym, result.input(sym.name, sym.shape, sym.type));
  const move = (sym: Sym) => {
    const found = moved.get(sym) ?? result.constant(sym.constant!, sym.shape, sym.type);
    moved.set(sym, found);
    return found;
  };
  const shapeOf = (sym: Sym) => (padded.has(sym) ? sym.shape.with(1, padded.get(sym)!) : sym.shape);
  for (const node of graph.nodes) {
    const y = node.outputs[0]!;
    if (graph.outputs.includes(y)) {
      result.output(y.name, move(node.inputs[0]!));
      continue;
    }
    const x = node.inputs[0]!;
    if (widened.has(node)) {
      const [from, to] = [shapeOf(x)[1]!, shapeOf(y)[1]!];
      const identity = new Float32Array(to * from);
      for (let channel = 0; channel < x.shape[1]!; channel++) identity[channel * from + channel] = 1;
      const weights = result.constant(identity, [to, from, 1, 1], "float32");
      const attributes = { kernel_shape: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] };
      moved.set(y, result.add("Conv", [move(x), weights], { shape: shapeOf(y), type: y.type }, attributes));
      continue;
    }
    const touched = padded.has(x) || padded.has(y);
    const depthwise = touched && isDepthwise(node);
    const inputs = node.inputs.map((sym, position) => {
      if (!sym) return null;
      const target = touched && sym.constant ? lengthened(node, position, shapeOf(x)[1]!, shapeOf(y)[1]!) : [];
      if (target.length === 0 || sym.shape.length === 0) return move(sym);
      return result.constant(extended(sym, target), [...target, ...sym.shape.slice(target.length)], sym.type);
    });
    const attributes = depthwise ? { ...node.attributes, group: shapeOf(y)[1]! } : node.attributes;
    const specs = node.outputs.map((sym) => ({ shape: shapeOf(sym), type: sym.type }));
    const outputs = result.addMany(node.op, inputs, specs, attributes);
    for (const [i, sym] of node.outputs.entries()) moved.set(sym, outputs[i]!);
  }
  return result;
}

/** The leading axes of a node's constant once its tensors have these channels. */
function lengthened(node: GraphNode, position: number, from: number, to: number): number[] {
  if (node.op === "Conv") return position === 1 && isDense(node) ? [to, from] : [to];
  return node.op === "Add" || node.op === "Mul" ? [1, to] : [];
}

/** Numbers with zeros behind, so that the leading axes have the target's lengths. */
function extended({ constant, shape }: Sym, target: readonly number[]): Float32Array {
  const [rows, columns] = [shape[0]!, target.length > 1 ? shape[1]! : 1];
  const rest = shape.slice(target.length).reduce((a, b) => a * b, 1);
  const [targetRows, targetColumns] = [target[0]!, target[1] ?? 1];
  const result = new Float32Array(targetRows * targetColumns * rest);
  for (let row = 0; row < rows; row++) {
    const from = row * columns * rest;
    result.set((constant as Float32Array).subarray(from, from + columns * rest), row * targetColumns * rest);
  }
  return result;
}
