import { type TensorInfo, upcastType } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { broadcast, type Call, type Kernel, type Kernels } from "./define.ts";
import { combine, shortcut } from "./spread.ts";

type Build = (graph: Graph, a: Sym, b: Sym, shape: readonly number[], call: Call) => Sym;

/** Element-wise functions of two tensors with broadcasting; both have one dtype by the time a kernel sees them. */
export const binary: Kernels = {
  Add: arithmetic("Add"),
  AddN: ({ inputs, backend, graph }) => {
    const { syms, shape, layout, physical } = broadcast(backend, Object.values(inputs));
    const dtype = Object.values(inputs)[0]!.dtype;
    const sum = syms.reduce((a, b) => elementwise(graph, "Add", a, b, physical));
    return backend.give(sum, shape, dtype, layout);
  },
  Sub: arithmetic("Sub"),
  Multiply: arithmetic("Mul"),
  RealDiv: pair((graph, a, b, shape) => {
    const quotient = elementwise(graph, "Div", graph.cast(a, "float32"), graph.cast(b, "float32"), shape);
    return graph.cast(quotient, a.type);
  }),
  FloorDiv: pair((graph, a, b, shape) => {
    if (a.type === "float32")
      return graph.cast(floor(graph, graph.add("Div", [a, b], { shape, type: "float32" })), "int32");
    const { divisor, guard } = nonzero(graph, a, b, shape);
    const out = { shape, type: a.type };
    const whole = graph.add("Sub", [a, graph.add("Mod", [a, divisor], out, { fmod: 0 })], out);
    return guard(graph.add("Div", [whole, divisor], out));
  }, "int32"),
  Mod: pair((graph, a, b, shape) => {
    const out = { shape, type: a.type };
    if (a.type !== "float32") {
      const { divisor, guard } = nonzero(graph, a, b, shape);
      return guard(graph.add("Mod", [a, divisor], out, { fmod: 0 }));
    }
    // The remainder has the dividend's sign; where the signs differ it moves over to the divisor's.
    const remainder = graph.add("Mod", [a, b], out, { fmod: 1 });
    const moved = graph.add("Mod", [graph.add("Add", [remainder, b], out), b], out, { fmod: 1 });
    const negative = (x: Sym) => graph.add("Less", [x, graph.scalar(0)], { shape: x.shape, type: "bool" });
    const differ = graph.add("Xor", [negative(a), negative(b)], { shape, type: "bool" });
    return graph.add("Where", [differ, moved, remainder], out);
  }),
  Pow: arithmetic("Pow"),
  Maximum: arithmetic("Max"),
  Minimum: arithmetic("Min"),
  SquaredDifference: pair((graph, a, b, shape) => {
    const difference = elementwise(graph, "Sub", a, b, shape);
    return elementwise(graph, "Mul", difference, difference, shape);
  }),
  Atan2: pair((graph, y, x, shape) => {
    const [fy, fx] = [graph.cast(y, "float32"), graph.cast(x, "float32")];
    const out = { shape, type: "float32" } as const;
    const bool = { shape, type: "bool" } as const;
    const zero = graph.scalar(0);
    // Math.atan2 from atan: ±π is added where x is negative, and 0 / 0 is a right angle's limit, or 0.
    const angle = graph.add("Atan", [graph.add("Div", [fy, fx], out)], out);
    const turn = graph.add(
      "Where",
      [graph.add("Less", [fy, zero], bool), graph.scalar(-Math.PI), graph.scalar(Math.PI)],
      out,
    );
    const turned = graph.add(
      "Where",
      [graph.add("Less", [fx, zero], bool), graph.add("Add", [angle, turn], out), angle],
      out,
    );
    const none = graph.add("And", [graph.add("Equal", [fy, zero], bool), graph.add("Equal", [fx, zero], bool)], bool);
    return graph.cast(graph.add("Where", [none, zero, turned], out), y.type);
  }),
  Prelu: ({ inputs, backend, graph }) => {
    const { syms, shape, layout, physical } = broadcast(backend, [inputs.x!, inputs.alpha!]);
    const result = graph.add("PRelu", syms, { shape: physical, type: "float32" });
    return backend.give(result, shape, "float32", layout);
  },
  EluGrad: ({ inputs, backend, graph }) => {
    const { syms, shape, layout, physical } = broadcast(backend, [inputs.dy!, inputs.y!]);
    const [dy, y] = syms as [Sym, Sym];
    const out = { shape: physical, type: "float32" } as const;
    // The slope is y + 1 below 0, and 1 above.
    const slope = graph.add("Add", [graph.add("Min", [y, graph.scalar(0)], out), graph.scalar(1)], out);
    return backend.give(graph.add("Mul", [dy, slope], out), shape, "float32", layout);
  },
  Equal: comparison("Equal"),
  NotEqual: comparison("Equal", true),
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessEqual: comparison("LessOrEqual"),
  LogicalAnd: logic("And"),
  LogicalOr: logic("Or"),
  BitwiseAnd: arithmetic("BitwiseAnd"),
  Select: ({ inputs, backend, graph }) => {
    const { condition, t, e } = inputs as Record<"condition" | "t" | "e", TensorInfo>;
    const dtype = upcastType(t.dtype, e.dtype) as "float32" | "int32" | "bool";
    // A vector of conditions picks whole rows of higher tensors.
    const rows = condition.shape.length === 1 && t.shape.length > 1;
    const picker: TensorInfo = rows
      ? backend.give(
          graph.reshape(backend.take(condition), [condition.shape[0]!, ...t.shape.slice(1).fill(1)]),
          [condition.shape[0]!, ...t.shape.slice(1).fill(1)],
          "bool",
        )
      : condition;
    const { syms, shape, layout, physical } = broadcast(backend, [t, e, picker]);
    const [a, b, c] = syms as [Sym, Sym, Sym];
    const type = dtype === "bool" ? "uint8" : dtype;
    const picked = combine(
      graph,
      [graph.cast(c, "bool"), graph.cast(a, type), graph.cast(b, type)],
      physical,
      (lean, inner) => graph.add("Where", lean, { shape: inner, type }),
    );
    return backend.give(graph.cast(picked, dtype), shape, dtype, layout);
  },
};

function pair(build: Build, dtype?: "int32"): Kernel {
  return (call) => {
    const { inputs, backend, graph } = call;
    const { syms, shape, layout, physical } = broadcast(backend, [inputs.a!, inputs.b!]);
    const result = build(graph, syms[0]!, syms[1]!, physical, call);
    return backend.give(result, shape, dtype ?? inputs.a!.dtype, layout);
  };
}

function arithmetic(op: string): Kernel {
  return pair((graph, a, b, shape) => elementwise(graph, op, a, b, shape));
}

function comparison(op: string, negate = false): Kernel {
  return ({ inputs, backend, graph }) => {
    const { syms, shape, layout, physical } = broadcast(backend, [inputs.a!, inputs.b!]);
    const operands = syms.map((sym) => (sym.type === "bool" ? graph.cast(sym, "int32") : sym));
    const result = combine(graph, operands, physical, (lean, inner) => {
      const truth = graph.add(op, lean, { shape: inner, type: "bool" });
      return negate ? graph.add("Not", [truth], truth) : truth;
    });
    return backend.give(result, shape, "bool", layout);
  };
}

function logic(op: string): Kernel {
  return ({ inputs, backend, graph }) => {
    const { syms, shape, layout, physical } = broadcast(backend, [inputs.a!, inputs.b!]);
    const operands = syms.map((sym) => graph.cast(sym, "bool"));
    return backend.give(graph.add(op, operands, { shape: physical, type: "bool" }), shape, "bool", layout);
  };
}

function elementwise(graph: Graph, op: string, a: Sym, b: Sym, shape: readonly number[]): Sym {
  return combine(
    graph,
    [a, b],
    shape,
    ([x, y], inner) => shortcut(graph, op, x!, y!) ?? graph.add(op, [x!, y!], { shape: inner, type: a.type }),
  );
}

const floor = (graph: Graph, x: Sym) => graph.add("Floor", [x], x);

/** Whole-number division by zero gives 0 in TensorFlow.js and a trap in ONNX Runtime: divide by 1 there, then put 0. */
function nonzero(graph: Graph, a: Sym, b: Sym, shape: readonly number[]) {
  if (b.constant && !b.constant.some((x) => Number(x) === 0)) return { divisor: b, guard: (x: Sym) => x };
  const zero = graph.scalar(0, b.type);
  const isZero = graph.add("Equal", [b, zero], { shape: b.shape, type: "bool" });
  const divisor = graph.add("Where", [isZero, graph.scalar(1, b.type), b], b);
  const guard = (x: Sym) => graph.add("Where", [isZero, zero, x], { shape, type: a.type });
  return { divisor, guard };
}
