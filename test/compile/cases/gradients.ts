import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { padsOf } from "../../../src/compile/kernels/windows.ts";
import { anyGiven, given, pair, shapes } from "../arbitraries.ts";
import type { Case, Given, Sample } from "../conformance.ts";

/**
 * Gradients of whole operations by all their floating inputs, weighted with the result so that no two elements count
 * alike. `kernel` is one that the gradient is made of.
 */
type Op = (...tensors: tf.Tensor[]) => tf.Tensor;
interface Differentiated {
  readonly name: string;
  readonly kernel: string;
  readonly samples: fc.Arbitrary<Sample>;
}

const weighted = (y: tf.Tensor) => {
  const weights = tf.reshape(tf.linspace(0.5, 1.5, y.size), y.shape);
  return tf.sum(tf.mul(tf.cast(y, "float32"), weights)) as tf.Scalar;
};
/** The first `count` tensors' gradients, once or twice over. */
function gradients(op: Op, tensors: tf.Tensor[], count: number, twice: boolean): tf.Tensor[] {
  const rest = tensors.slice(count);
  const total = (...own: tf.Tensor[]) => weighted(op(...own, ...rest));
  if (!twice) return tf.grads(total)(tensors.slice(0, count));
  const norm = (...own: tf.Tensor[]) =>
    tf.addN(
      tf
        .grads(total)(own)
        .map((g) => weighted(tf.square(g))),
    ) as tf.Scalar;
  return tf.grads(norm)(tensors.slice(0, count));
}

const of = (
  name: string,
  kernel: string,
  op: Op,
  arbitrary: fc.Arbitrary<readonly Given[]>,
  options: { twice?: boolean; by?: number } = {},
): Differentiated => ({
  name: options.twice ? `${name}, twice` : name,
  kernel,
  samples: arbitrary.map(
    (list): Sample => ({
      label: `gradient of ${name} at ${list.map((x) => `[${x.shape}]`).join(", ")}`,
      given: list,
      run: (...tensors) => gradients(op, tensors, options.by ?? list.length, options.twice ?? false),
    }),
  ),
});
/** Off the grid of 1/8, where functions with a kink have theirs. */
const smooth = (min: number, max: number, minRank = 0, maxRank = 4): fc.Arbitrary<Given> =>
  anyGiven("float32", min, max, minRank, maxRank).map((x) => ({ ...x, data: x.data.map((n) => n * 0.97 + 0.03) }));
const one = (name: string, kernel: string, op: Op, x = smooth(-3, 3)) =>
  of(
    name,
    kernel,
    op,
    x.map((given) => [given]),
  );
const twice = (name: string, kernel: string, op: Op, x = smooth(-3, 3)) =>
  of(
    name,
    kernel,
    op,
    x.map((given) => [given]),
    { twice: true },
  );
const positive = smooth(1, 5);
const floats = (shape: number[], min = -3, max = 3) =>
  given(shape, "float32", min, max).map((x) => ({ ...x, data: x.data.map((n) => n * 0.97 + 0.03) }));
const pairs = pair("float32", -3, 3).map(([a, b]) => [a, { ...b, data: b.data.map((n) => n + 0.04) }]);
const divisors = pair("float32", 1, 4);

const elementwise: Differentiated[] = [
  one("abs", "Step", tf.abs),
  one("clip", "ClipByValue", (x) => tf.clipByValue(x, -1, 2)),
  one("cos", "Sin", tf.cos),
  one("elu", "Elu", tf.elu),
  one("erf", "Erf", tf.erf),
  one("exp", "Exp", tf.exp),
  one("expm1", "Exp", tf.expm1),
  one("leakyRelu", "Step", (x) => tf.leakyRelu(x, 0.2)),
  one("log", "Log", tf.log, positive),
  one("log1p", "Log1p", tf.log1p, positive),
  one("logSigmoid", "Sigmoid", tf.logSigmoid),
  one("neg", "Neg", tf.neg),
  one("reciprocal", "Reciprocal", tf.reciprocal, positive),
  one("relu", "Step", tf.relu),
  one("relu6", "Relu6", (x) => tf.relu6(tf.mul(x, 4))),
  one("rsqrt", "Rsqrt", tf.rsqrt, positive),
  one("selu", "Selu", tf.selu),
  one("sigmoid", "Sigmoid", tf.sigmoid),
  one("sign", "Sign", (x) => tf.add(tf.sign(x), x)),
  one("softplus", "Softplus", tf.softplus),
  one("sqrt", "Sqrt", tf.sqrt, positive),
  one("square", "Square", tf.square),
  one("step", "Step", (x) => tf.mul(x, tf.step(x, 0.1))),
  one("tanh", "Tanh", tf.tanh),
  one("gelu", "Erf", (x) => tf.mul(x, tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))))),
  of("add", "Add", tf.add, pairs),
  of("sub", "Sub", tf.sub, pairs),
  of("mul", "Multiply", tf.mul, pairs),
  of("div", "RealDiv", tf.div, divisors),
  of("maximum", "Maximum", tf.maximum, pairs),
  of("minimum", "Minimum", tf.minimum, pairs),
  of("squaredDifference", "SquaredDifference", tf.squaredDifference, pairs),
  of("pow", "Pow", tf.pow, divisors),
  of("atan2", "Atan2", tf.atan2, divisors),
  of(
    "prelu",
    "Prelu",
    tf.prelu,
    shapes(2, 4).chain((shape) => fc.tuple(floats(shape), floats(shape.with(0, 1)))),
  ),
  of(
    "where",
    "Select",
    (a, b) => tf.where(tf.greater(a, 0.5), a, tf.mul(b, b)),
    shapes(0, 4).chain((shape) => fc.tuple(floats(shape), floats(shape))),
  ),
  twice("tanh", "Tanh", tf.tanh),
  twice("sigmoid", "Sigmoid", tf.sigmoid),
  twice("softplus", "Softplus", tf.softplus),
  twice("softmax", "Softmax", (x) => tf.softmax(x), smooth(-3, 3, 1)),
  twice("max", "Max", (x) => tf.square(tf.max(x, -1)), smooth(-3, 3, 1)),
  of("pow", "Pow", tf.pow, divisors, { twice: true }),
  twice("exp", "Exp", tf.exp),
  twice("leakyRelu", "Step", (x) => tf.square(tf.leakyRelu(x, 0.2))),
  twice("elu", "Elu", tf.elu),
  twice("relu", "Relu", (x) => tf.square(tf.relu(x))),
  twice("clip", "ClipByValue", (x) => tf.square(tf.clipByValue(x, -1, 2))),
  twice("sqrt", "Sqrt", tf.sqrt, positive),
  twice("maximum", "Maximum", (x) => tf.square(tf.maximum(x, 0.5))),
  of("mul", "Multiply", tf.mul, pairs, { twice: true }),
  of("div", "RealDiv", tf.div, divisors, { twice: true }),
];

const axes = (shape: number[]) => fc.subarray(shape.map((_, i) => i));
const on = <T>(
  name: string,
  kernel: string,
  tensors: fc.Arbitrary<Given>,
  choice: (shape: number[]) => fc.Arbitrary<T>,
  op: (x: tf.Tensor, chosen: T) => tf.Tensor,
): Differentiated => ({
  name,
  kernel,
  samples: tensors.chain((x) =>
    choice(x.shape).map(
      (chosen): Sample => ({
        label: `gradient of ${name} at [${x.shape}] with ${JSON.stringify(chosen)}`,
        given: [x],
        run: (t) => gradients((y) => op(y!, chosen), [t!], 1, false),
      }),
    ),
  ),
});
const x = smooth(-3, 3, 1);
const last = () => fc.constant(-1);
const axis = (shape: readonly number[]) => fc.nat(shape.length - 1);

const arrays: Differentiated[] = [
  on("sum", "Sum", x, axes, (t, a) => tf.sum(t, a)),
  on("mean", "Mean", x, axes, (t, a) => tf.mean(t, a)),
  on("max", "Max", shapes(1, 3).map(distinct), axes, (t, a) => tf.max(t, a)),
  on("min", "Min", shapes(1, 3).map(distinct), axes, (t, a) => tf.min(t, a)),
  on("prod", "Prod", smooth(1, 3, 1, 3), axis, (t, a) => tf.prod(t, a)),
  on("logSumExp", "Exp", x, axes, (t, a) => tf.logSumExp(t, a)),
  on("variance", "Mean", x, axes, (t, a) => tf.moments(t, a).variance),
  on("softmax", "Softmax", x, last, (t) => tf.softmax(t)),
  on("logSoftmax", "Exp", x, last, (t) => tf.logSoftmax(t)),
  on(
    "cumsum",
    "Cumsum",
    smooth(-3, 3, 1, 2),
    (s) => fc.tuple(fc.constant(s.length - 1), fc.boolean()),
    (t, [a, r]) => tf.cumsum(t, a, false, r),
  ),
  on(
    "transpose",
    "Transpose",
    x,
    (s) =>
      fc.shuffledSubarray(
        s.map((_, i) => i),
        { minLength: s.length },
      ),
    (t, p) => tf.transpose(t, p),
  ),
  on(
    "reshape",
    "Reshape",
    x,
    (s): fc.Arbitrary<number[]> => fc.constant([s.reduce((a, b) => a * b, 1)]),
    (t, s) => tf.square(tf.reshape(t, s)),
  ),
  on("reverse", "Reverse", x, axes, (t, a) => tf.reverse(t, a)),
  on("slice", "PadV2", x, axis, (t, a) =>
    tf.slice(
      t,
      t.shape.map(() => 0),
      t.shape.with(a, Math.ceil(t.shape[a]! / 2)),
    ),
  ),
  on(
    "pad",
    "Slice",
    x,
    (s) => fc.tuple(...s.map(() => fc.tuple(fc.nat(2), fc.nat(2)))),
    (t, p) => tf.pad(t, p as never),
  ),
  on(
    "tile",
    "Tile",
    smooth(-3, 3, 1, 3),
    (s) => fc.tuple(...s.map(() => fc.integer({ min: 1, max: 3 }))),
    (t, r) => tf.square(tf.tile(t, r as never)),
  ),
  on(
    "broadcastTo",
    "Tile",
    smooth(-3, 3, 1, 3),
    () => fc.integer({ min: 1, max: 3 }),
    (t, n) => tf.square(tf.broadcastTo(tf.expandDims(t, 0), [n, ...t.shape] as never)),
  ),
  on("split", "Pack", x, axis, (t, a) => tf.addN(tf.unstack(t, a).map((part, i) => tf.mul(part, i + 1)))),
  on(
    "gather",
    "UnsortedSegmentSum",
    x,
    (s) => axis(s).chain((a) => fc.tuple(fc.constant(a), fc.array(fc.nat(s[a]! - 1), { minLength: 1, maxLength: 5 }))),
    (t, [a, at]) => tf.square(tf.gather(t, tf.tensor1d(at, "int32"), a)),
  ),
  on(
    "gatherND",
    "ScatterNd",
    x,
    (s) => fc.array(fc.nat(s[0]! - 1), { minLength: 1, maxLength: 5 }),
    (t, at) => tf.square(tf.gatherND(t, tf.tensor2d(at, [at.length, 1], "int32"))),
  ),
  on(
    "scatterND",
    "GatherNd",
    x,
    (s) => fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: s[0]!, maxLength: s[0]! }),
    (t, at) => tf.square(tf.scatterND(tf.tensor2d(at, [at.length, 1], "int32"), t, [6, ...t.shape.slice(1)] as never)),
  ),
  on("norm", "Sqrt", smooth(1, 3, 1), axes, (t, a) => tf.sqrt(tf.sum(tf.square(t), a))),
  of(
    "concat",
    "SplitV",
    (a, b) => tf.square(tf.concat([a, b], -1)),
    shapes(1, 3).chain((shape) => fc.tuple(floats(shape), floats(shape.with(-1, 2)))),
  ),
  of(
    "stack",
    "Unpack",
    (a, b) => tf.square(tf.stack([a, b], 1)),
    shapes(1, 3).chain((shape) => fc.tuple(floats(shape), floats(shape))),
  ),
  of(
    "unsortedSegmentSum",
    "GatherV2",
    (a, ids) => tf.square(tf.unsortedSegmentSum(a, ids as tf.Tensor1D, 3)),
    shapes(1, 3).chain((shape) => fc.tuple(floats(shape), given([shape[0]!], "int32", 0, 2))),
    { by: 1 },
  ),
];

const matrices = fc.record({
  batch: fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 2 }),
  n: size(),
  k: size(),
  m: size(),
  left: fc.boolean(),
  right: fc.boolean(),
});
const products = (repeated: boolean): Differentiated => ({
  name: repeated ? "matMul, twice" : "matMul",
  kernel: "BatchMatMul",
  samples: matrices.chain(({ batch, n, k, m, left, right }) =>
    fc.tuple(floats([...batch, ...(left ? [k, n] : [n, k])]), floats([...batch, ...(right ? [m, k] : [k, m])])).map(
      (list): Sample => ({
        label: `gradient of matMul [${list[0].shape}]${left ? "ᵀ" : ""} [${list[1].shape}]${right ? "ᵀ" : ""}`,
        given: list,
        run: (...tensors) => gradients((a, b) => tf.matMul(a!, b!, left, right), tensors, 2, repeated),
      }),
    ),
  ),
});

const pictures = fc.record({ n: size(), h: size(), w: size(), c: size() });
const networks: Differentiated[] = [
  products(false),
  products(true),
  ...(["max", "avg"] as const).map(
    (kind): Differentiated => ({
      name: `${kind}Pool`,
      kernel: kind === "max" ? "MaxPoolGrad" : "Conv2DBackpropInput",
      samples: fc
        .record({
          n: size(),
          h: size(3, 7),
          w: size(3, 7),
          c: size(),
          kernel: size(1, 3),
          stride: size(1, 3),
          pad: fc.constantFrom("same", "valid"),
        })
        .filter(({ h, w, kernel, stride, pad }) => {
          const info = tf.backend_util.computePool2DInfo([1, h, w, 1], kernel, stride, 1, pad as "same");
          return padsOf(info).every((n) => n < kernel) && (kind === "max" || kernel >= stride);
        })
        .chain(({ n, h, w, c, kernel, stride, pad }) =>
          given([n, h, w, c]).map(
            (image): Sample => ({
              label: `gradient of ${kind}Pool [${n},${h},${w},${c}] by ${kernel}, stride ${stride}, ${pad}`,
              given: [image],
              run: (t) =>
                gradients(
                  (y) => (kind === "max" ? tf.maxPool : tf.avgPool)(y as tf.Tensor4D, kernel, stride, pad as "same"),
                  [t!],
                  1,
                  false,
                ),
            }),
          ),
        ),
    }),
  ),
  ...(["resizeBilinear", "resizeNearestNeighbor"] as const).map(
    (name): Differentiated => ({
      name,
      kernel: "BatchMatMul",
      samples: fc
        .tuple(pictures, size(1, 7), size(1, 7), fc.constantFrom("plain", "align", "half"))
        .chain(([{ n, h, w, c }, rows, columns, mode]) =>
          floats([n, h, w, c]).map(
            (image): Sample => ({
              label: `gradient of ${name} [${n},${h},${w},${c}] to ${rows} × ${columns}, ${mode}`,
              given: [image],
              run: (t) =>
                gradients(
                  (y) => tf.image[name](y as tf.Tensor4D, [rows, columns], mode === "align", mode === "half"),
                  [t!],
                  1,
                  false,
                ),
            }),
          ),
        ),
    }),
  ),
  of(
    "batchNorm",
    "Rsqrt",
    (t, mean, variance, offset, scale) =>
      tf.batchNorm(t!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, 0.01),
    pictures.chain(({ n, h, w, c }) =>
      fc.tuple(floats([n, h, w, c]), floats([c]), floats([c], 1, 4), floats([c]), floats([c])),
    ),
  ),
  of(
    "layer norm",
    "Rsqrt",
    (t, scale, shift) => {
      const { mean, variance } = tf.moments(t!, -1, true);
      return tf.add(tf.mul(tf.mul(tf.sub(t!, mean), tf.rsqrt(tf.add(variance, 1e-2))), scale!), shift!);
    },
    fc.tuple(size(), size(2, 5)).chain(([n, c]) => fc.tuple(floats([n, c]), floats([c]), floats([c]))),
  ),
];

function size(min = 1, max = 4): fc.Arbitrary<number> {
  return fc.integer({ min, max });
}
function distinct(shape: number[]): Given {
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, dtype: "float32", data: Array.from({ length }, (_, i) => ((i * 37) % 64) / 8) };
}

export const gradientCases: (Case & { name: string })[] = [...elementwise, ...arrays, ...networks].map((one) => ({
  ...one,
  tolerance: 3e-4,
  runs: 8,
}));
