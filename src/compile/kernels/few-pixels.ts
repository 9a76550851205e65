import type { backend_util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { transpose } from "./move.ts";

type Info = backend_util.Conv2DInfo;

/**
 * Whether a convolution whose filter changes from run to run is better one product of matrices over all samples: few
 * output pixels a sample and many weights. A Conv node reads the weights anew for each sample, and any form that
 * moves them about costs more than the convolution.
 */
export function hasFewPixels(info: Info): boolean {
  const pixels = info.outHeight * info.outWidth;
  const weights = info.inChannels * info.outChannels * info.filterHeight * info.filterWidth;
  const padded = info.inHeight * info.inWidth;
  return (
    pixels <= 16 && padded <= 256 && weights >= 256 * pixels && info.dilationHeight === 1 && info.dilationWidth === 1
  );
}

/** The convolution: `x` NCHW and a filter [out, in, height, width] give NHWC. */
export function product(graph: Graph, x: Sym, filter: Sym, bias: Sym | null, info: Info): Sym {
  const windows = columns(graph, x, info);
  const weights = graph.reshape(filter, [info.outChannels, windows.shape[1]!]);
  const result = graph.add(
    "Gemm",
    bias ? [windows, weights, bias] : [windows, weights],
    { shape: [windows.shape[0]!, info.outChannels], type: "float32" },
    { transB: 1 },
  );
  return graph.reshape(result, [info.batchSize, info.outHeight, info.outWidth, info.outChannels]);
}

/** Its gradient by the input: `dy` NCHW gives NCHW. */
export function productByInput(graph: Graph, dy: Sym, filter: Sym, info: Info): Sym {
  const { batchSize: n, inChannels, outChannels, inHeight, inWidth } = info;
  const [pixels, taps] = sizes(info);
  const flat = graph.reshape(transpose(graph, dy, [0, 2, 3, 1]), [n * pixels, outChannels]);
  const weights = graph.reshape(filter, [outChannels, inChannels * taps]);
  const windows = multiply(graph, flat, weights);
  const apart = transpose(graph, graph.reshape(windows, [n, pixels, inChannels, taps]), [0, 2, 1, 3]);
  const image = multiply(graph, graph.reshape(apart, [n * inChannels, pixels * taps]), places(graph, info, true));
  return graph.reshape(image, [n, inChannels, inHeight, inWidth]);
}

/** Its gradient by the filter, [out, in, height, width]. */
export function productByFilter(graph: Graph, x: Sym, dy: Sym, info: Info): Sym {
  const { inChannels, outChannels, filterHeight, filterWidth } = info;
  const windows = columns(graph, x, info);
  const flat = graph.reshape(transpose(graph, dy, [1, 0, 2, 3]), [outChannels, windows.shape[0]!]);
  return graph.reshape(multiply(graph, flat, windows), [outChannels, inChannels, filterHeight, filterWidth]);
}

/** What each window sees: [samples · pixels, channels · taps]. */
function columns(graph: Graph, x: Sym, info: Info): Sym {
  const { batchSize: n, inChannels, inHeight, inWidth } = info;
  const [pixels, taps] = sizes(info);
  const image = graph.reshape(x, [n * inChannels, inHeight * inWidth]);
  const windows = graph.reshape(multiply(graph, image, places(graph, info, false)), [n, inChannels, pixels, taps]);
  return graph.reshape(transpose(graph, windows, [0, 2, 1, 3]), [n * pixels, inChannels * taps]);
}

const sizes = (info: Info) => [info.outHeight * info.outWidth, info.filterHeight * info.filterWidth] as const;

/** 1 where a tap of a window lies on a pixel of the input: [input pixels, windows · taps], or the other way round. */
function places(graph: Graph, info: Info, flip: boolean): Sym {
  const [pixels, taps] = sizes(info);
  const inputs = info.inHeight * info.inWidth;
  const matrix = new Float32Array(inputs * pixels * taps);
  for (let pixel = 0; pixel < pixels; pixel++)
    for (let tap = 0; tap < taps; tap++) {
      const row = Math.floor(pixel / info.outWidth) * info.strideHeight - info.padInfo.top;
      const column = (pixel % info.outWidth) * info.strideWidth - info.padInfo.left;
      const [y, x] = [row + Math.floor(tap / info.filterWidth), column + (tap % info.filterWidth)];
      if (y < 0 || x < 0 || y >= info.inHeight || x >= info.inWidth) continue;
      const [input, window] = [y * info.inWidth + x, pixel * taps + tap];
      matrix[flip ? window * inputs + input : input * pixels * taps + window] = 1;
    }
  return graph.constant(matrix, flip ? [pixels * taps, inputs] : [inputs, pixels * taps], "float32");
}

function multiply(graph: Graph, a: Sym, b: Sym): Sym {
  return graph.add("MatMul", [a, b], { shape: [a.shape[0]!, b.shape[1]!], type: "float32" });
}
