import type { backend_util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { hasFewPixels, productByFilter } from "./few-pixels.ts";
import { join, pad, part, transpose } from "./move.ts";

type Info = backend_util.Conv2DInfo;

/**
 * The gradient of a convolution by its filter, as products of matrices over the pixels. One operand is moved by the
 * filter's columns and the other by its rows, so that k + k moved copies do what im2col needs k · k for.
 *
 * `x` gives the input and `dy` the gradient of the output, in the order asked for; the result is [out, in, height, width].
 */
export function filterGradient(graph: Graph, x: Ordered, dy: Ordered, info: Info): Sym {
  if (hasFewPixels(info)) return productByFilter(graph, x("NCHW"), dy("NCHW"), info);
  return info.strideHeight === 1 && info.strideWidth === 1
    ? unstrided(graph, x("NCHW"), dy("NCHW"), info)
    : strided(graph, x("NHWC"), dy("NCHW"), info);
}

type Ordered = (order: "NCHW" | "NHWC") => Sym;

/** Stride 1: both stay as they lie, each plane one row of a matrix. */
function unstrided(graph: Graph, x: Sym, dy: Sym, info: Info): Sym {
  const { batchSize, inChannels, outChannels, inHeight, inWidth, outHeight, outWidth } = info;
  const { top, left } = info.padInfo;
  const inputs = range(info.filterWidth).map((b) =>
    pad(graph, x, [0, 0, 0, left - b], [0, 0, 0, outWidth + b - left - inWidth]),
  );
  const gradients = range(info.filterHeight).map((a) =>
    pad(graph, dy, [0, 0, a - top, 0], [0, 0, inHeight - a + top - outHeight, 0]),
  );
  // [samples, taps · channels, pixels]. The side with few channels is worth one copy more, for it makes wide matrices.
  const matrices = (taps: Sym[], stacked: boolean) => {
    const list = stacked ? [join(graph, taps, 1)] : taps;
    return list.map((tap) => graph.reshape(tap, [batchSize, tap.shape[1]!, inHeight * outWidth]));
  };
  const few = Math.min(inChannels, outChannels) < WIDE;
  const stackInputs = few && inChannels <= outChannels;
  const stackGradients = few && !stackInputs;
  const rows = matrices(gradients, stackGradients).map((d) =>
    matrices(inputs, stackInputs).map((v) => {
      // The stacked matrix goes to the left: its rows cost less than columns that fill no vector.
      if (stackInputs) {
        const product = graph.reshape(contract(graph, v, transpose(graph, d, [0, 2, 1])), [
          1,
          info.filterWidth,
          inChannels,
          outChannels,
        ]);
        return transpose(graph, product, [3, 2, 0, 1]);
      }
      const product = contract(graph, d, transpose(graph, v, [0, 2, 1]));
      const taps = graph.reshape(product, [product.shape[0]! / outChannels, outChannels, 1, inChannels]);
      return transpose(graph, taps, [1, 3, 0, 2]);
    }),
  );
  return join(
    graph,
    rows.map((row) => join(graph, row, 3)),
    2,
  );
}

/**
 * Any stride: x lies pixel after pixel (NHWC), where the columns of a stride lie side by side and its rows are slices. The
 * gradient, which has fewer pixels, is the one that moves, plane by plane (NCHW): a left factor that is to be
 * transposed takes ONNX Runtime twice as long.
 */
function strided(graph: Graph, x: Sym, dy: Sym, info: Info): Sym {
  const { batchSize, inChannels, outChannels, inHeight, inWidth, outHeight, outWidth, padInfo } = info;
  const [sh, sw] = [info.strideHeight, info.strideWidth];
  // The filter's sides in whole strides; what lies beyond the filter is cut off at the end.
  const [th, tw] = [Math.ceil(info.filterHeight / sh), Math.ceil(info.filterWidth / sw)];
  const [rows, columns] = [outHeight + th - 1, outWidth + tw - 1];
  const image = pad(
    graph,
    x,
    [0, padInfo.top, padInfo.left, 0],
    [0, sh * rows - inHeight - padInfo.top, sw * columns - inWidth - padInfo.left, 0],
  );
  const strides = graph.reshape(image, [batchSize, rows, sh, columns * sw * inChannels]);
  const phases = range(sh).map((phase) =>
    graph.reshape(part(graph, strides, 2, phase, 1), [batchSize, rows * columns, sw * inChannels]),
  );
  const lines = range(th).flatMap((a) => {
    const moved = range(tw).map((b) => {
      const all = pad(graph, dy, [0, 0, a, b], [0, 0, rows - a - outHeight, columns - b - outWidth]);
      return graph.reshape(all, [batchSize, outChannels, rows * columns]);
    });
    return phases.map((phase) => {
      const taps = moved.map((one) => graph.reshape(contract(graph, one, phase), [1, outChannels, sw, inChannels]));
      return join(graph, taps, 2);
    });
  });
  const whole = transpose(graph, join(graph, lines, 0), [1, 3, 0, 2]);
  return part(graph, part(graph, whole, 2, 0, info.filterHeight), 3, 0, info.filterWidth);
}

/**
 * [samples, rows, pixels] · [samples, pixels, columns], summed over the samples. ONNX Runtime takes a Transpose of the
 * right factor into the product, and a product with ones takes it a third of a ReduceSum's time.
 */
function contract(graph: Graph, a: Sym, b: Sym): Sym {
  const [samples, rows, columns] = [a.shape[0]!, a.shape[1]!, b.shape[2]!];
  const products = graph.add("MatMul", [a, b], { shape: [samples, rows, columns], type: "float32" });
  const ones = graph.constant(new Float32Array(samples).fill(1), [1, samples], "float32");
  const flat = graph.reshape(products, [samples, rows * columns]);
  const sum = graph.add("MatMul", [ones, flat], { shape: [1, rows * columns], type: "float32" });
  return graph.reshape(sum, [rows, columns]);
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Channels from which on a matrix of one tap fills the vector units. */
const WIDE = 32;
