import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { anyGiven, broadcasting, dtypes, given, pair, shapes } from "../arbitraries.ts";
import type { Case, Given, Sample } from "../conformance.ts";

type Op1 = (x: tf.Tensor) => tf.Tensor;
type Op2 = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const one = (kernel: string, run: Op1, arbitrary: fc.Arbitrary<Given>): Case => ({
  kernel,
  samples: arbitrary.map(
    (x): Sample => ({ label: `${kernel} of ${x.dtype}[${x.shape}]`, given: [x], run: run as Sample["run"] }),
  ),
});
const two = (kernel: string, run: Op2, arbitrary: fc.Arbitrary<[Given, Given]>): Case => ({
  kernel,
  samples: arbitrary.map(
    ([a, b]): Sample => ({
      label: `${kernel} of ${a.dtype}[${a.shape}], [${b.shape}]`,
      given: [a, b],
      run: run as Sample["run"],
    }),
  ),
});

const floats = anyGiven();
const both = dtypes("float32", "int32").chain((dtype) => anyGiven(dtype));
const all = dtypes("float32", "int32", "bool").chain((dtype) => anyGiven(dtype));
const positive = dtypes("float32", "int32").chain((dtype) => anyGiven(dtype, 1, 9));
const within = anyGiven("float32", -1, 1);
const pairs = dtypes("float32", "int32").chain((dtype) => pair(dtype));
const comparable = dtypes("float32", "int32", "bool").chain((dtype) => pair(dtype, -2, 2));
const truths = pair("bool");
/** Divisors of either sign, never 0. */
const divisible = dtypes("float32", "int32").chain((dtype) =>
  fc.tuple(pair(dtype, -9, 9)).map(([[a, b]]): [Given, Given] => [a, { ...b, data: b.data.map((x) => x || 2) }]),
);

export const unaryCases: Case[] = [
  one("Abs", tf.abs, both),
  one("Acos", tf.acos, within),
  one("Acosh", tf.acosh, anyGiven("float32", 1, 9)),
  one("Asin", tf.asin, within),
  one("Asinh", tf.asinh, floats),
  one("Atan", tf.atan, floats),
  one("Atanh", tf.atanh, anyGiven("float32", -0.9, 0.9)),
  one("Ceil", tf.ceil, floats),
  one("ClipByValue", (x) => tf.clipByValue(x, -1, 2), both),
  one("Cos", tf.cos, floats),
  one("Cosh", tf.cosh, floats),
  one("Elu", tf.elu, floats),
  one("Erf", tf.erf, floats),
  one("Exp", tf.exp, both),
  one("Expm1", tf.expm1, floats),
  one("Floor", tf.floor, floats),
  one("IsFinite", (x) => tf.isFinite(tf.div(x, tf.relu(x))), floats),
  one("IsInf", (x) => tf.isInf(tf.div(tf.scalar(1), x)), floats),
  one("IsNaN".replace("NaN", "Nan"), (x) => tf.isNaN(tf.sqrt(x)), floats),
  one("LeakyRelu", (x) => tf.leakyRelu(x, 0.3), both),
  one("Log", tf.log, anyGiven("float32", 1, 9)),
  one("Log1p", tf.log1p, anyGiven("float32", 0, 9)),
  one("LogicalNot", tf.logicalNot, anyGiven("bool")),
  one("Neg", tf.neg, both),
  one("Reciprocal", tf.reciprocal, positive),
  one("Relu", tf.relu, both),
  one("Relu6", (x) => tf.relu6(tf.mul(x, tf.scalar(3, x.dtype))), both),
  one("Round", (x) => tf.round(x), both),
  one("Rsqrt", tf.rsqrt, anyGiven("float32", 1, 9)),
  one("Selu", tf.selu, floats),
  one("Sigmoid", tf.sigmoid, floats),
  one("Sign", tf.sign, both),
  one("Sin", tf.sin, floats),
  one("Sinh", tf.sinh, floats),
  one("Softplus", tf.softplus, floats),
  one("Sqrt", tf.sqrt, anyGiven("float32", 1, 9)),
  one("Square", tf.square, both),
  one("Step", (x) => tf.step(x, 0.2), floats),
  one("Tan", tf.tan, within),
  one("Tanh", tf.tanh, floats),
  one("Identity", (x) => tf.clone(x), all),
  one("OnesLike", (x) => tf.add(x, tf.onesLike(x)), both),
  one("ZerosLike", (x) => tf.add(x, tf.zerosLike(x)), both),
  {
    kernel: "Cast",
    samples: fc
      .tuple(all, dtypes("float32", "int32", "bool"))
      .map(([x, dtype]): Sample => ({ label: `${x.dtype} to ${dtype}`, given: [x], run: (t) => tf.cast(t, dtype) })),
  },
];

export const binaryCases: Case[] = [
  two("Add", tf.add, pairs),
  two("Sub", tf.sub, pairs),
  two("Multiply", tf.mul, pairs),
  two("RealDiv", (a, b) => tf.div(tf.cast(a, "float32"), tf.cast(b, "float32")), divisible),
  two(
    "FloorDiv",
    tf.floorDiv,
    dtypes("float32", "int32").chain((dtype) =>
      pair(dtype, -9, 9).map(([a, b]): [Given, Given] => [
        a,
        dtype === "int32" ? b : { ...b, data: b.data.map((x) => x || 2) },
      ]),
    ),
  ),
  two("Mod", tf.mod, divisible),
  two(
    "Pow",
    tf.pow,
    dtypes("float32", "int32").chain((dtype) => pair(dtype, 1, 3)),
  ),
  two("Maximum", tf.maximum, pairs),
  two("Minimum", tf.minimum, pairs),
  two("SquaredDifference", tf.squaredDifference, pairs),
  two("Atan2", tf.atan2, pair("float32")),
  two(
    "Prelu",
    tf.prelu,
    shapes(1, 4).chain((shape) => fc.tuple(given(shape), given(shape.map((n, i) => (i === 0 ? 1 : n))))),
  ),
  two("Equal", tf.equal, comparable),
  two("NotEqual", tf.notEqual, comparable),
  two("Greater", tf.greater, comparable),
  two("GreaterEqual", tf.greaterEqual, comparable),
  two("Less", tf.less, comparable),
  two("LessEqual", tf.lessEqual, comparable),
  two("LogicalAnd", tf.logicalAnd, truths),
  two("LogicalOr", tf.logicalOr, truths),
  two(
    "BitwiseAnd",
    (a, b) => tf.engine().runKernel("BitwiseAnd", { a, b } as never) as tf.Tensor,
    shapes(0, 3).chain((shape) => fc.tuple(given(shape, "int32", 0, 63), given(shape, "int32", 0, 63))),
  ),
  two(
    "EluGrad",
    (dy, y) => tf.engine().runKernel("EluGrad", { dy, y } as never) as tf.Tensor,
    shapes(0, 4).chain((shape) => fc.tuple(given(shape), given(shape, "float32", -1, 4))),
  ),
  {
    kernel: "AddN",
    samples: dtypes("float32", "int32").chain((dtype) =>
      shapes(0, 4)
        .chain((shape) => fc.array(given(shape, dtype), { minLength: 2, maxLength: 4 }))
        .map(
          (list): Sample => ({ label: `AddN of ${list.length}`, given: list, run: (...tensors) => tf.addN(tensors) }),
        ),
    ),
  },
  {
    kernel: "Select",
    samples: fc.tuple(broadcasting, dtypes("float32", "int32", "bool")).chain(([[a, b], dtype]) =>
      fc.tuple(given(a, "bool"), given(b, dtype), given(b, dtype)).map(
        (list): Sample => ({
          label: `where [${a}] [${b}] ${dtype}`,
          given: list,
          run: (c, t, e) => tf.where(c!, t!, e!),
        }),
      ),
    ),
  },
];
