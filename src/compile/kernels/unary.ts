import type { Graph, Sym } from "../graph.ts";
import { asIs, type Call, type Kernel, type Kernels, same } from "./define.ts";
import { combine } from "./spread.ts";

// biome-ignore lint/suspicious/noExplicitAny: attributes are TensorFlow.js' own, different for each kernel.
type Build = (graph: Graph, x: Sym, attrs: any) => Sym;

/**
 * Element-wise functions of one tensor. TensorFlow.js computes them in floating point and stores the result in the
 * dtype of the input, so int32 goes through float32 and is cut back.
 */
const float = (build: Build): Kernel =>
  map((graph, x, attrs) => {
    if (x.type === "float32") return build(graph, x, attrs);
    return graph.cast(build(graph, graph.cast(x, "float32"), attrs), x.type);
  });

/** Functions that ONNX Runtime has for int32 too. */
const number = (build: Build): Kernel => map(build);

/** Functions that leave whole numbers as they are. */
const rounding = (op: string): Kernel => map((graph, x) => (x.type === "float32" ? same(graph, op, x) : x));

const op =
  (name: string): Build =>
  (graph, x) =>
    same(graph, name, x);

const areNaN: Build = (graph, x) => graph.add("IsNaN", [x], { shape: x.shape, type: "bool" });
const areInf: Build = (graph, x) => graph.add("IsInf", [x], { shape: x.shape, type: "bool" });
const or = (graph: Graph, a: Sym, b: Sym) => graph.add("Or", [a, b], a);
const not: Build = (graph, x) => same(graph, "Not", x);

/** Always false for whole numbers, which have no such values. */
const question = (build: Build): Kernel =>
  map((graph, x, attrs) => build(graph, graph.cast(x, "float32"), attrs), "bool");

export const unary: Kernels = {
  Abs: number(op("Abs")),
  Acos: float(op("Acos")),
  Acosh: float(op("Acosh")),
  Asin: float(op("Asin")),
  Asinh: float(op("Asinh")),
  Atan: float(op("Atan")),
  Atanh: float(op("Atanh")),
  Ceil: rounding("Ceil"),
  ClipByValue: number((graph, x, { clipValueMin: low, clipValueMax: high }) =>
    graph.add("Clip", [x, graph.scalar(low, x.type), graph.scalar(high, x.type)], x),
  ),
  Cos: float(op("Cos")),
  Cosh: float(op("Cosh")),
  Elu: float(op("Elu")),
  Erf: float(op("Erf")),
  // Unlike their neighbours, Exp and LeakyRelu always give float32.
  Exp: map((graph, x) => same(graph, "Exp", graph.cast(x, "float32")), "float32"),
  Expm1: float((graph, x) => graph.add("Sub", [same(graph, "Exp", x), graph.scalar(1)], x)),
  Floor: rounding("Floor"),
  IsFinite: question((graph, x) => not(graph, or(graph, areNaN(graph, x, null), areInf(graph, x, null)), null)),
  IsInf: question(areInf),
  IsNan: question(areNaN),
  LeakyRelu: map(
    (graph, x, { alpha }) => same(graph, "LeakyRelu", graph.cast(x, "float32"), { alpha: { f: alpha } }),
    "float32",
  ),
  Log: float(op("Log")),
  Log1p: float((graph, x) => same(graph, "Log", graph.add("Add", [x, graph.scalar(1)], x))),
  LogicalNot: map((graph, x) => not(graph, graph.cast(x, "bool"), null), "bool"),
  Neg: number(op("Neg")),
  Reciprocal: float(op("Reciprocal")),
  Relu: number(op("Relu")),
  Relu6: number((graph, x) => graph.add("Clip", [x, graph.scalar(0, x.type), graph.scalar(6, x.type)], x)),
  Round: rounding("Round"),
  Rsqrt: float((graph, x) => same(graph, "Reciprocal", same(graph, "Sqrt", x))),
  Selu: float(op("Selu")),
  Sigmoid: float(op("Sigmoid")),
  Sign: number(op("Sign")),
  Sin: float(op("Sin")),
  Sinh: float(op("Sinh")),
  Softplus: float(op("Softplus")),
  Sqrt: float(op("Sqrt")),
  Square: number((graph, x) => graph.add("Mul", [x, x], x)),
  Step: float((graph, x, { alpha }) => {
    // Two nodes instead of four: the least positive number that is not denormal becomes 1.2.
    if (alpha !== 0 && alpha <= 1) {
      const steep = graph.add("Mul", [x, graph.scalar(1e38)], x);
      return graph.add("Clip", [steep, graph.scalar(alpha), graph.scalar(1)], x);
    }
    const positive = graph.cast(
      graph.add("Greater", [x, graph.scalar(0)], { shape: x.shape, type: "bool" }),
      "float32",
    );
    if (alpha === 0) return positive;
    const scaled = graph.add("Mul", [positive, graph.scalar(1 - alpha)], x);
    return graph.add("Add", [scaled, graph.scalar(alpha)], x);
  }),
  Tan: float(op("Tan")),
  Tanh: float(op("Tanh")),
  Identity: map((_graph, x) => x),
  Cast: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const { sym, layout } = asIs(backend, x);
    // A NaN is not equal to 0, and so is true; ONNX Runtime's own cast to bool agrees.
    return backend.give(graph.cast(sym, attrs.dtype), x.shape, attrs.dtype, layout);
  },
  OnesLike: constantLike(1),
  ZerosLike: constantLike(0),
};

function map(build: Build, dtype?: "bool" | "float32"): Kernel {
  return ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const { sym, layout } = asIs(backend, x);
    const result = combine(graph, [sym], sym.shape, ([lean]) => build(graph, lean!, attrs));
    return backend.give(result, x.shape, dtype ?? x.dtype, layout);
  };
}

function constantLike(value: number): Kernel {
  return ({ inputs, backend }: Call) => {
    const { shape, dtype } = inputs.x!;
    const length = shape.reduce((a, b) => a * b, 1);
    const Numbers = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
    return backend.constant(new Numbers(length).fill(value), shape, dtype as "float32");
  };
}
