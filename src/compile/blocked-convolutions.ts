import { hasAvx512 } from "./channel-blocks.ts";
import { Graph, type GraphNode, type Sym } from "./graph.ts";

/**
 * Gives convolutions whose weights change from run to run (training) the blocked form in which ONNX Runtime runs fixed
 * ones: NCHWc, channels in groups of one vector. ONNX Runtime itself lays out constants only. Element-wise nodes between two
 * such convolutions work on the blocked values too; everything else gets plain ones. Measured: 1.3 to 2 times as fast.
 *
 * The group is 16 channels, which holds with AVX-512 and not elsewhere: the graph is for this processor, not for a file.
 */
export function blockedConvolutions(graph: Graph, available: boolean = hasAvx512()): Graph {
  if (!available || !graph.nodes.some((node) => blocks(node))) return graph;
  const result = new Graph(graph.name);
  const [plain, blocked] = [new Map<Sym, Sym>(), new Map<Sym, Sym>()];
  for (const sym of graph.inputs) plain.set(sym, result.input(sym.name, sym.shape, sym.type));
  const asPlain = (sym: Sym): Sym => {
    const known = plain.get(sym);
    if (known) return known;
    const made = sym.constant
      ? result.constant(sym.constant, sym.shape, sym.type)
      : result.add(`${DOMAIN}ReorderOutput`, [blocked.get(sym)!], sym, { channels: sym.shape[1]! });
    plain.set(sym, made);
    return made;
  };
  const asBlocked = (sym: Sym): Sym => {
    const known = blocked.get(sym);
    if (known) return known;
    const made = result.add(`${DOMAIN}ReorderInput`, [asPlain(sym)], sym);
    blocked.set(sym, made);
    return made;
  };
  for (const node of graph.nodes) {
    const y = node.outputs[0]!;
    if (graph.outputs.includes(y)) result.output(y.name, asPlain(node.inputs[0]!));
    else if (blocks(node)) blocked.set(y, convolve(result, node, asPlain, asBlocked));
    else if (isElementwise(node, (sym) => blocked.has(sym)))
      blocked.set(y, elementwise(result, node, asPlain, asBlocked));
    else if (moves(node) && blocked.has(node.inputs[0]!))
      blocked.set(y, move(result, node, asPlain, asBlocked(node.inputs[0]!)));
    else if (putsChannelsLast(node) && blocked.has(node.inputs[0]!))
      plain.set(y, channelsLast(result, node, blocked.get(node.inputs[0]!)!));
    else {
      const specs = node.outputs.map(({ shape, type }) => ({ shape, type }));
      const inputs = node.inputs.map((sym) => sym && asPlain(sym));
      const outputs = result.addMany(node.op, inputs, specs, node.attributes);
      for (const [i, sym] of node.outputs.entries()) plain.set(sym, outputs[i]!);
    }
  }
  return result;
}

const DOMAIN = "com.microsoft.nchwc:";
const BLOCK = 16;
/** Below so many output pixels a matrix product beats the blocked form. */
const LEAST_PIXELS = 64;

/** Few channels, as of a picture, are read as they lie. */
const isPicture = (x: Sym) => x.shape[1]! < BLOCK;

function blocks({ op, inputs, outputs, attributes }: GraphNode): boolean {
  const [x, weights] = inputs;
  const shape = outputs[0]!.shape;
  return (
    op === "Conv" &&
    shape.length === 4 &&
    weights!.constant === null &&
    (attributes.group ?? 1) === 1 &&
    (x!.shape[1]! % BLOCK === 0 || x!.shape[1]! <= 4) &&
    shape[1]! % 4 === 0 &&
    shape[1]! * 2 > BLOCK &&
    shape[2]! * shape[3]! >= LEAST_PIXELS
  );
}

type Take = (sym: Sym) => Sym;

function convolve(graph: Graph, { inputs, outputs, attributes }: GraphNode, asPlain: Take, asBlocked: Take): Sym {
  const [x, weights, bias] = inputs as [Sym, Sym, Sym | undefined];
  const y = outputs[0]!;
  const channels = Math.ceil(y.shape[1]! / BLOCK) * BLOCK;
  const lengthen = (sym: Sym) => {
    if (sym.shape[0] === channels) return sym;
    const ends = sym.shape.map((_, axis) => (axis === 0 ? channels - sym.shape[0]! : 0));
    const amounts = graph.int64([...sym.shape.map(() => 0), ...ends]);
    return graph.add("Pad", [sym, amounts, graph.scalar(0)], { shape: sym.shape.with(0, channels), type: sym.type });
  };
  const filter = lengthen(asPlain(weights));
  const taken = [isPicture(x) ? asPlain(x) : asBlocked(x), isPicture(x) ? outer(graph, filter) : inner(graph, filter)];
  return graph.add(
    `${DOMAIN}Conv`,
    bias ? [...taken, lengthen(asPlain(bias))] : taken,
    { shape: y.shape.with(1, channels), type: y.type },
    { dilations: [1, 1], group: 1, ...attributes },
  );
}

/** Weights [out, in, height, width] with blocks of in and out channels innermost. */
function inner(graph: Graph, weights: Sym): Sym {
  const [out, channels, height, width] = weights.shape as [number, number, number, number];
  const [o, i] = [out / BLOCK, channels / BLOCK];
  const apart = graph.reshape(weights, [o, BLOCK, i, BLOCK, height, width]);
  const shape = [o, i, height, width, BLOCK, BLOCK];
  const turned = graph.add("Transpose", [apart], { shape, type: "float32" }, { perm: [0, 2, 4, 5, 3, 1] });
  return graph.reshape(turned, weights.shape);
}

/** The same with blocks of out channels only, for pictures. */
function outer(graph: Graph, weights: Sym): Sym {
  const [out, channels, height, width] = weights.shape as [number, number, number, number];
  const apart = graph.reshape(weights, [out / BLOCK, BLOCK, channels, height, width]);
  const shape = [out / BLOCK, channels, height, width, BLOCK];
  const turned = graph.add("Transpose", [apart], { shape, type: "float32" }, { perm: [0, 2, 3, 4, 1] });
  return graph.reshape(turned, weights.shape);
}

const UNARY = ["Relu", "LeakyRelu", "Clip", "Tanh", "Sigmoid", "Neg"];
const BINARY = ["Add", "Sub", "Mul", "Div"];

/** Whether a node can work on whole blocks, and one of its values is there in blocks already. */
function isElementwise({ op, inputs, outputs }: GraphNode, isBlocked: (sym: Sym) => boolean): boolean {
  const y = outputs[0]!;
  if (y.shape.length !== 4 || y.shape[1]! % BLOCK !== 0 || y.type !== "float32") return false;
  if (UNARY.includes(op)) return isBlocked(inputs[0]!);
  if (!BINARY.includes(op)) return false;
  const large = inputs.filter((sym) => alike(sym!, y));
  return (
    large.length > 0 &&
    large.every((sym) => isBlocked(sym!)) &&
    inputs.every((sym) => alike(sym!, y) || isSmall(sym!, y))
  );
}

const alike = (a: Sym, b: Sym) => a.shape.length === b.shape.length && a.shape.every((n, axis) => n === b.shape[axis]);

/** One number, or one for each channel. */
const isSmall = ({ shape }: Sym, y: Sym) =>
  shape.every((n) => n === 1) ||
  (shape.length >= 3 && shape.every((n, axis) => n === (axis === shape.length - 3 ? y.shape[1] : 1)));

function elementwise(graph: Graph, node: GraphNode, asPlain: Take, asBlocked: Take): Sym {
  const y = node.outputs[0]!;
  const binary = BINARY.includes(node.op);
  const channelwise = binary && node.inputs.some((sym) => !alike(sym!, y) && sym!.shape.some((n) => n !== 1));
  const [n, c, h, w] = y.shape as [number, number, number, number];
  const shape = channelwise ? [n, c / BLOCK, h, w, BLOCK] : y.shape;
  const inputs = node.inputs.map((sym, position) => {
    if (binary ? alike(sym!, y) : position === 0) return graph.reshape(asBlocked(sym!), shape);
    const small = sym && asPlain(sym);
    return small?.shape.some((length) => length !== 1) ? graph.reshape(small, [c / BLOCK, 1, 1, BLOCK]) : small;
  });
  return graph.reshape(graph.add(node.op, inputs, { shape, type: y.type }, node.attributes), y.shape);
}

/** Whether a node moves whole blocks of channels: DepthToSpace, or cutting rows and columns off. */
function moves({ op, inputs, outputs, attributes }: GraphNode): boolean {
  const y = outputs[0]!;
  if (y.shape.length !== 4 || y.shape[1]! % BLOCK !== 0) return false;
  if (op === "DepthToSpace") return attributes.mode === "DCR";
  const axes = inputs[3]?.constant;
  return (
    op === "Slice" &&
    inputs.length === 4 &&
    axes !== undefined &&
    axes !== null &&
    Array.from(axes, Number).every((axis) => axis >= 2)
  );
}

function move(graph: Graph, node: GraphNode, asPlain: Take, x: Sym): Sym {
  const y = node.outputs[0]!;
  const [n, c, h, w] = y.shape as [number, number, number, number];
  const inBlocks = ([, , rows, columns]: readonly number[]) => [n, c / BLOCK, rows!, columns!, BLOCK];
  if (node.op === "Slice") {
    const bounds = node.inputs.slice(1).map((sym) => asPlain(sym!));
    const cut = graph.add("Slice", [graph.reshape(x, inBlocks(x.shape)), ...bounds], {
      shape: inBlocks(y.shape),
      type: y.type,
    });
    return graph.reshape(cut, y.shape);
  }
  const s = node.attributes.blocksize as number;
  const phases = graph.reshape(x, [n, s, s, c / BLOCK, h / s, w / s, BLOCK]);
  const shape = [n, c / BLOCK, h / s, s, w / s, s, BLOCK];
  const turned = graph.add("Transpose", [phases], { shape, type: y.type }, { perm: [0, 3, 4, 1, 5, 2, 6] });
  return graph.reshape(turned, y.shape);
}

const putsChannelsLast = ({ op, inputs, attributes }: GraphNode) =>
  op === "Transpose" && `${attributes.perm}` === "0,2,3,1" && inputs[0]!.shape[1]! % BLOCK === 0;

/** Whole blocks change places instead of single numbers; where there is one block only, nothing does. */
function channelsLast(graph: Graph, { outputs }: GraphNode, x: Sym): Sym {
  const [n, h, w, c] = outputs[0]!.shape as [number, number, number, number];
  if (c === BLOCK) return graph.reshape(x, [n, h, w, c]);
  const blocks = graph.reshape(x, [n, c / BLOCK, h, w, BLOCK]);
  const shape = [n, h, w, c / BLOCK, BLOCK];
  return graph.reshape(graph.add("Transpose", [blocks], { shape, type: x.type }, { perm: [0, 2, 3, 1, 4] }), [
    n,
    h,
    w,
    c,
  ]);
}
