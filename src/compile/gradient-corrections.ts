import * as tf from "@tensorflow/tfjs-core";

/**
 * Gradients that TensorFlow.js has not, or has wrong, written in its own ops, so that they hold on every engine and can
 * be differentiated again.
 */
export const corrections: readonly tf.GradConfig[] = [
  // A comparison does not change with small changes of its inputs. TensorFlow.js knows no gradient for it, so that nothing
  // with a mask (leaky ReLU, clip, where) could be differentiated twice.
  ...["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr"].map(
    flat("a", "b"),
  ),
  ...["LogicalNot", "IsNan", "IsInf", "IsFinite"].map(flat("x")),
  {
    kernelName: "LeakyRelu",
    inputsToSave: ["x"],
    gradFunc: (dy, [x], attrs) => ({ x: () => tf.mul(dy as tf.Tensor, tf.step(x!, Number(attrs.alpha))) }),
  },
  {
    kernelName: "SquaredDifference",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => {
      const by = (x: tf.Tensor, y: tf.Tensor) => () =>
        unbroadcast(tf.mul(dy as tf.Tensor, tf.mul(2, tf.sub(x, y))), x.shape);
      return { a: by(a!, b!), b: by(b!, a!) };
    },
  },
  // TensorFlow.js' fail when there is but one part.
  {
    kernelName: "Unpack",
    gradFunc: (dy, _saved, attrs) => ({ value: () => tf.stack(listed(dy), Number(attrs.axis)) }),
  },
  {
    kernelName: "SplitV",
    gradFunc: (dy, _saved, attrs) => ({ x: () => tf.concat(listed(dy), Number(attrs.axis)) }),
  },
  {
    // By ops instead of a kernel of its own, which has no gradient.
    kernelName: "Elu",
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => tf.mul(dy as tf.Tensor, tf.add(tf.minimum(y!, 0), 1)) }),
  },
  // TensorFlow.js leaves broadcasting out of account. Where both are equal, a has the gradient.
  extreme("Maximum", tf.greaterEqual, tf.less),
  extreme("Minimum", tf.lessEqual, tf.greater),
  {
    kernelName: "AvgPool",
    inputsToSave: ["x"],
    gradFunc: (dy, [x], attrs) => ({ x: () => averageGradient(dy as tf.Tensor4D, x!.shape as Shape, attrs as never) }),
  },
  // TensorFlow.js' own are wrong for pictures that are not square, for batches and for half pixel centres.
  {
    kernelName: "ResizeBilinear",
    inputsToSave: ["images"],
    gradFunc: (dy, [images], attrs) => ({
      images: () => resizeGradient(dy as tf.Tensor4D, images!, attrs as never, linear),
    }),
  },
  {
    kernelName: "ResizeNearestNeighbor",
    inputsToSave: ["images"],
    gradFunc: (dy, [images], attrs) => ({
      images: () => resizeGradient(dy as tf.Tensor4D, images!, attrs as never, nearest),
    }),
  },
  {
    kernelName: "GatherNd",
    inputsToSave: ["params", "indices"],
    gradFunc: (dy, [params, indices]) => ({
      params: () => tf.scatterND(indices!, dy as tf.Tensor, params!.shape),
      indices: () => tf.zeros(indices!.shape),
    }),
  },
  {
    kernelName: "ScatterNd",
    inputsToSave: ["indices", "updates"],
    gradFunc: (dy, [indices, updates]) => ({
      indices: () => tf.zeros(indices!.shape),
      updates: () => tf.reshape(tf.gatherND(dy as tf.Tensor, indices!), updates!.shape),
    }),
  },
];

/**
 * Operations whose gradient is written in terms of their own result, and their inputs' names. While a gradient is itself
 * recorded, TensorFlow.js loses the way from that result back to the inputs (it notes the saved copy before the operation
 * that made it), and a second derivative comes out wrong without a word: there the result is computed anew.
 */
const byResult: Readonly<Record<string, readonly string[]>> = {
  Elu: ["x"],
  Exp: ["x"],
  Max: ["x"],
  Min: ["x"],
  Pow: ["a", "b"],
  Sigmoid: ["x"],
  Softmax: ["logits"],
  Tanh: ["x"],
};

/** The registered gradients of those operations, mended. Call once, with all others registered. */
export function mendedByResult(): tf.GradConfig[] {
  return Object.entries(byResult).map(([kernelName, inputs]) => {
    const own = tf.getGradient(kernelName)!;
    const wanted = own.inputsToSave ?? [];
    return {
      kernelName,
      inputsToSave: [...inputs],
      outputsToSave: [true],
      gradFunc: (dy, saved, attrs) => {
        const given = Object.fromEntries(inputs.map((name, i) => [name, saved[i]!]));
        const recorded = tf.engine().state.gradientDepth > 0;
        const result = recorded
          ? (tf.engine().runKernel(kernelName, given, attrs) as tf.Tensor)
          : saved[inputs.length]!;
        return own.gradFunc(dy, [...wanted.map((name) => given[name]!), result], attrs);
      },
    };
  });
}

const listed = (dy: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(dy) ? dy : [dy]);

type Shape = [number, number, number, number];

/** No gradient by any of these inputs. */
function flat(...inputs: string[]): (kernelName: string) => tf.GradConfig {
  return (kernelName) => ({
    kernelName,
    inputsToSave: inputs,
    gradFunc: (_dy, saved) => Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros(saved[i]!.shape)])),
  });
}

type Compare = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

function extreme(kernelName: string, takesA: Compare, takesB: Compare): tf.GradConfig {
  const part = (dy: tf.Tensor, mask: tf.Tensor, shape: number[]) =>
    unbroadcast(tf.mul(dy, tf.cast(mask, "float32")), shape);
  return {
    kernelName,
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({
      a: () => part(dy as tf.Tensor, takesA(a!, b!), a!.shape),
      b: () => part(dy as tf.Tensor, takesB(a!, b!), b!.shape),
    }),
  };
}

/** Sums what broadcasting from `shape` had spread. */
function unbroadcast(x: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, x.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, shape);
}

interface Pooling {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** Each output's gradient, divided by the pixels that it is the mean of, is spread over them; the padding counts not. */
function averageGradient(
  dy: tf.Tensor4D,
  shape: Shape,
  { filterSize, strides, pad, dimRoundingMode }: Pooling,
): tf.Tensor {
  const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  const seen = (out: number, stride: number, kernel: number, near: number, length: number) =>
    Float32Array.from({ length: out }, (_, i) => {
      const begin = i * stride - near;
      return Math.min(begin + kernel, length) - Math.max(begin, 0);
    });
  const rows = seen(info.outHeight, info.strideHeight, info.filterHeight, info.padInfo.top, info.inHeight);
  const columns = seen(info.outWidth, info.strideWidth, info.filterWidth, info.padInfo.left, info.inWidth);
  const counts = tf.mul(tf.tensor(rows, [rows.length, 1, 1]), tf.tensor(columns, [columns.length, 1]));
  // Channels become samples, so that one kernel of ones serves all.
  const [n, h, w, c] = shape;
  const apart = tf.reshape(tf.transpose(tf.div(dy, counts), [0, 3, 1, 2]), [n * c, info.outHeight, info.outWidth, 1]);
  const ones = tf.ones<tf.Rank.R4>([info.filterHeight, info.filterWidth, 1, 1]);
  const steps: [number, number] = [info.strideHeight, info.strideWidth];
  const spread = tf.conv2dTranspose(apart as tf.Tensor4D, ones, [n * c, h, w, 1], steps, pad, dimRoundingMode);
  return tf.transpose(tf.reshape(spread, [n, c, h, w]), [0, 2, 3, 1]);
}

interface Resizing {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}
/** The share that each of `from` positions has in each of `to` positions, [to, from]. */
type Shares = (from: number, to: number, resizing: Resizing) => Float32Array;

/** Resizing is linear and goes by rows and columns: its gradient is the product with both tables of shares, transposed. */
function resizeGradient(dy: tf.Tensor4D, images: tf.Tensor, resizing: Resizing, shares: Shares): tf.Tensor {
  const [n, h, w, c] = images.shape as Shape;
  const [, toH, toW] = dy.shape;
  const byRow = tf.tensor2d(shares(h, toH, resizing), [toH, h]);
  const byColumn = tf.tensor2d(shares(w, toW, resizing), [toW, w]);
  const planes = tf.reshape(tf.transpose(dy, [0, 3, 1, 2]), [n * c * toH, toW]);
  const narrow = tf.reshape(tf.matMul(planes as tf.Tensor2D, byColumn), [n * c, toH, w]);
  const small = tf.matMul(tf.reshape(byRow, [1, toH, h]), narrow, true, false);
  return tf.transpose(tf.reshape(small, [n, c, h, w]), [0, 2, 3, 1]);
}

const linear: Shares = (from, to, resizing) =>
  table(from, to, resizing, (at) => {
    const near = Math.max(0, Math.floor(at));
    const far = Math.min(from - 1, Math.ceil(at));
    const share = at - Math.floor(at);
    return [
      [near, 1 - share],
      [far, share],
    ];
  });

const nearest: Shares = (from, to, resizing) =>
  table(from, to, resizing, (at) => {
    const taken = resizing.alignCorners ? Math.round(at) : Math.floor(resizing.halfPixelCenters ? at + 0.5 : at);
    return [[Math.max(0, Math.min(from - 1, taken)), 1]];
  });

function table(
  from: number,
  to: number,
  { alignCorners, halfPixelCenters }: Resizing,
  sharesOf: (at: number) => [position: number, share: number][],
): Float32Array {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  const numbers = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale;
    for (const [position, share] of sharesOf(at)) numbers[i * from + position]! += share;
  }
  return numbers;
}
