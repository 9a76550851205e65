import type { TensorInfo } from "@tensorflow/tfjs-core";
import { compositeKernel } from "../composite.ts";
import type { Graph, Sym } from "../graph.ts";
import { NCHW } from "../layout.ts";
import type { Call, Kernels } from "./define.ts";
import { planeSums } from "./reduce.ts";

/**
 * Instance normalisation (Ulyanov et al. 2016) and its gradients. With x̂ the normalised input, r = 1 / √(variance + ε) and
 * means over a channel's pixels, the gradient by x is scale · r · (dy − mean(dy) − x̂ · mean(dy · x̂)). Each element-wise
 * node of ONNX Runtime goes through memory once, so everything that can be is a product of matrices or a convolution.
 */
export const instanceNorm: Kernels = {
  [compositeKernel("instanceNorm")]: ({ inputs, attrs, backend, graph }) => {
    const [x, scale, bias] = [inputs.x0!, inputs.x1!, inputs.x2!];
    const sym = backend.take(x, NCHW);
    return backend.give(
      normalise(graph, sym, backend.take(scale), backend.take(bias), attrs.epsilon),
      x.shape,
      "float32",
      NCHW,
    );
  },
  [compositeKernel("instanceNormByInput")]: (call) => {
    const [x, scale, dy] = [call.inputs.x0!, call.inputs.x1!, call.inputs.x2!];
    const { backend, graph } = call;
    const { planes, sums, along, normal } = gradients(call, x, dy);
    const [n, c, h, w] = backend.take(x, NCHW).shape as [number, number, number, number];
    const column = { shape: [planes, 1, 1], type: "float32" } as const;
    const [multiply, add] = [
      (a: Sym, b: Sym) => graph.add("Mul", [a, b], column),
      (a: Sym, b: Sym) => graph.add("Add", [a, b], column),
    ];
    const number = (value: number) => graph.scalar(value);
    // x̂ · x has the mean q = variance / √(variance + ε), from which the variance follows without a pass of its own.
    // Squared before it is divided: ONNX Runtime would draw a constant factor into the product, and then miss its fast way.
    const product = dot(graph, normal, flat(graph, backend.take(x, NCHW)));
    const square = multiply(multiply(product, product), number(1 / (h * w) ** 2));
    const inner = multiply(square, add(square, number(4 * call.attrs.epsilon)));
    const variance = multiply(add(square, graph.add("Sqrt", [inner], column)), number(0.5));
    const deviation = graph.add("Sqrt", [add(variance, number(call.attrs.epsilon))], column);
    const spread = graph.add("Expand", [backend.take(scale), graph.int64([n, c])], { shape: [n, c], type: "float32" });
    const slope = graph.add("Div", [graph.reshape(spread, [planes, 1, 1]), deviation], column);
    const negative = multiply(slope, number(-1 / (h * w)));
    // slope · dy + negative · (along · x̂ + sums): a convolution of one channel a group multiplies and adds in one pass.
    const image = { shape: [1, planes, h, w], type: "float32" } as const;
    const weights = (sym: Sym) => graph.reshape(sym, [planes, 1, 1, 1]);
    const attributes = { kernel_shape: [1, 1], group: planes };
    const rest = graph.add(
      "Conv",
      [
        graph.reshape(normal, image.shape),
        weights(multiply(negative, along)),
        graph.reshape(multiply(negative, sums), [planes]),
      ],
      image,
      attributes,
    );
    const gradient = graph.reshape(backend.take(dy, NCHW), image.shape);
    const result = graph.add("com.microsoft:FusedConv", [gradient, weights(slope), null, rest], image, attributes);
    return backend.give(graph.reshape(result, [n, c, h, w]), x.shape, "float32", NCHW);
  },
  [compositeKernel("instanceNormByScale")]: (call) => {
    const [x, dy] = [call.inputs.x0!, call.inputs.x1!];
    const { along } = gradients(call, x, dy);
    const [n, , , c] = x.shape as [number, number, number, number];
    const table = call.graph.reshape(along, [n, c]);
    const total = call.graph.add(
      "ReduceSum",
      [table, call.graph.int64([0])],
      { shape: [c], type: "float32" },
      { keepdims: 0 },
    );
    return call.backend.give(total, [c], "float32");
  },
};

/** x̂ [planes, 1, pixels], and for each plane the sums of dy and of dy · x̂ [planes, 1, 1]. */
function gradients({ backend, graph, attrs }: Call, x: TensorInfo, dy: TensorInfo) {
  const [n, , , c] = x.shape as [number, number, number, number];
  const planes = n * c;
  const constant = (value: number) => graph.constant(new Float32Array(c).fill(value), [c], "float32");
  const normal = flat(graph, normalise(graph, backend.take(x, NCHW), constant(1), constant(0), attrs.epsilon));
  const image = backend.take(dy, NCHW);
  return { planes, normal, sums: planeSums(graph, image), along: dot(graph, flat(graph, image), normal) };
}

function normalise(graph: Graph, x: Sym, scale: Sym, bias: Sym, epsilon: number): Sym {
  return graph.add("InstanceNormalization", [x, scale, bias], x, { epsilon: { f: epsilon } });
}

/** Each channel of each sample a row: [planes, 1, pixels]. */
function flat(graph: Graph, x: Sym): Sym {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return graph.reshape(x, [n * c, 1, h * w]);
}

/** Products of rows with rows. Said as one node, since [pixels, 1] as a matrix of its own is read three times as slowly. */
function dot(graph: Graph, a: Sym, b: Sym): Sym {
  const shape = [a.shape[0]!, 1, 1];
  return graph.add("com.microsoft:FusedMatMul", [a, b], { shape, type: "float32" }, { transB: 1 });
}
