import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { isLogical, logical, NCHW } from "../layout.ts";
import type { TraceBackend } from "../trace-backend.ts";
import { activate } from "./activation.ts";
import type { Call, Kernels } from "./define.ts";
import { hasFewPixels, product, productByInput } from "./few-pixels.ts";
import { filterGradient } from "./filter-gradient.ts";
import { pixelBlocks, suitsPixelBlocks } from "./pixel-blocks.ts";
import { subpixel } from "./subpixel.ts";
import { padsOf, slide } from "./windows.ts";

type Info = backend_util.Conv2DInfo;

/** Convolutions. Results stay NCHW in memory. */
export const conv: Kernels = {
  Conv2D: (call) => convolve(call, null),
  FusedConv2D: (call) => activate(call, convolve(call, call.inputs.bias ?? null)),
  DepthwiseConv2dNative: (call) => depthwise(call, null),
  FusedDepthwiseConv2D: (call) => activate(call, depthwise(call, call.inputs.bias ?? null)),
  /** The gradient of a convolution by its input; tf.conv2dTranspose is this too. */
  Conv2DBackpropInput: ({ inputs, attrs, backend, graph }) => {
    const { dy, filter } = inputs as Record<"dy" | "filter", TensorInfo>;
    const format = backend_util.convertConv2DDataFormat(attrs.dataFormat);
    const info = backend_util.computeConv2DInfo(
      attrs.inputShape,
      filter.shape as Shape4,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
      false,
      format,
    );
    const x = backend.take(dy, layoutOf(format));
    const values = backend.values(filter) as Float32Array | null;
    const weights = () => backend.take(filter, [3, 2, 0, 1]);
    const result =
      info.strideHeight !== info.strideWidth
        ? transposed(graph, x, weights(), info)
        : !values && hasFewPixels(info)
          ? productByInput(graph, x, weights(), info)
          : subpixel(graph, x, values ?? weights(), info);
    return give(backend, result, format);
  },
  Conv2DBackpropFilter: ({ inputs, attrs, backend, graph }) => {
    const { x, dy } = inputs as Record<"x" | "dy", TensorInfo>;
    const format = backend_util.convertConv2DDataFormat(attrs.dataFormat);
    const info = backend_util.computeConv2DInfo(
      x.shape as Shape4,
      attrs.filterShape,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
      false,
      format,
    );
    const last = format === "channelsLast";
    const layouts = { NCHW: layoutOf(format), NHWC: last ? logical(4) : [0, 2, 3, 1] };
    const result = filterGradient(
      graph,
      (order) => backend.take(x, layouts[order]),
      (order) => backend.take(dy, layouts[order]),
      info,
    );
    return backend.give(result, attrs.filterShape, "float32", [3, 2, 0, 1]);
  },
};

type Shape4 = [number, number, number, number];

function convolve({ inputs, attrs, backend, graph }: Call, bias: TensorInfo | null): TensorInfo {
  const { x, filter } = inputs as Record<"x" | "filter", TensorInfo>;
  const format = backend_util.convertConv2DDataFormat(attrs.dataFormat);
  const info = backend_util.computeConv2DInfo(
    x.shape as Shape4,
    filter.shape as Shape4,
    attrs.strides,
    attrs.dilations,
    attrs.pad,
    attrs.dimRoundingMode,
    false,
    format,
  );
  const values = backend.values(filter) as Float32Array | null;
  if (!bias && suitsPixelBlocks(info)) {
    const known = values ?? backend.take(filter, [3, 2, 0, 1]);
    return give(backend, pixelBlocks(graph, backend.take(x, layoutOf(format)), known, info), format);
  }
  if (!values && format === "channelsLast" && hasFewPixels(info)) {
    const image = backend.take(x, NCHW);
    const result = product(graph, image, backend.take(filter, [3, 2, 0, 1]), vector(backend, graph, bias), info);
    return backend.give(result, result.shape, "float32");
  }
  if (liesInterleaved(backend, x, info))
    return give(backend, interleaved(backend, graph, x, filter, vector(backend, graph, bias), info), format);
  const weights = backend.take(filter, [3, 2, 0, 1]);
  return give(
    backend,
    convNode(graph, backend.take(x, layoutOf(format)), weights, vector(backend, graph, bias), info),
    format,
  );
}

/** A picture as it comes, pixel after pixel, which is worth reading without a Transpose. */
function liesInterleaved(backend: TraceBackend, x: TensorInfo, info: Info): boolean {
  const layout = backend.layout(x);
  return (
    info.dataFormat === "channelsLast" &&
    info.inChannels > 1 &&
    info.inChannels <= 4 &&
    info.dilationWidth === 1 &&
    layout !== null &&
    isLogical(layout)
  );
}

/**
 * The same convolution over the picture as one channel of rows c times as wide, in which the kernel is c times as wide
 * and moves c times as far: as fast, and without the Transpose before it, which ONNX Runtime does on one thread.
 */
function interleaved(
  backend: TraceBackend,
  graph: Graph,
  x: TensorInfo,
  filter: TensorInfo,
  bias: Sym | null,
  info: Info,
): Sym {
  const { batchSize, inHeight, inWidth, inChannels, outChannels, filterHeight, filterWidth } = info;
  const rows = graph.reshape(backend.take(x), [batchSize, 1, inHeight, inWidth * inChannels]);
  const weights = graph.reshape(backend.take(filter, [3, 0, 1, 2]), [
    outChannels,
    1,
    filterHeight,
    filterWidth * inChannels,
  ]);
  const wide: Info = {
    ...info,
    inChannels: 1,
    inWidth: inWidth * inChannels,
    filterWidth: filterWidth * inChannels,
    effectiveFilterWidth: filterWidth * inChannels,
    strideWidth: info.strideWidth * inChannels,
    padInfo: { ...info.padInfo, left: info.padInfo.left * inChannels, right: info.padInfo.right * inChannels },
  };
  return convNode(graph, rows, weights, bias, wide);
}

function depthwise({ inputs, attrs, backend, graph }: Call, bias: TensorInfo | null): TensorInfo {
  const { x, filter } = inputs as Record<"x" | "filter", TensorInfo>;
  const info = backend_util.computeConv2DInfo(
    x.shape as Shape4,
    filter.shape as Shape4,
    attrs.strides,
    attrs.dilations ?? [1, 1],
    attrs.pad,
    attrs.dimRoundingMode,
    true,
  );
  const [height, width, channels, multiplier] = filter.shape as Shape4;
  const stacked = backend.take(filter, [2, 3, 0, 1]);
  const weights = graph.reshape(stacked, [channels * multiplier, 1, height, width]);
  const result = convNode(graph, backend.take(x, NCHW), weights, vector(backend, graph, bias), info, channels);
  return give(backend, result, "channelsLast");
}

function convNode(graph: Graph, x: Sym, weights: Sym, bias: Sym | null, info: Info, group = 1): Sym {
  const dilations = [info.dilationHeight, info.dilationWidth];
  return slide(graph, "Conv", bias ? [x, weights, bias] : [x, weights], info, { dilations, group });
}

/** ConvTranspose with a filter [out, in, height, width] that is not known beforehand. */
function transposed(graph: Graph, x: Sym, filter: Sym, info: Info): Sym {
  const pads = padsOf(info);
  const reached = (out: number, stride: number, kernel: number, near: number, far: number) =>
    (out - 1) * stride + kernel - near - far;
  const rows = reached(info.outHeight, info.strideHeight, info.filterHeight, pads[0], pads[2]);
  const columns = reached(info.outWidth, info.strideWidth, info.filterWidth, pads[1], pads[3]);
  const [n, c] = [info.batchSize, info.inChannels];
  const result = graph.add(
    "ConvTranspose",
    [x, filter],
    { shape: [n, c, rows, columns], type: "float32" },
    {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      pads,
    },
  );
  // Pixels that no window of the convolution saw get no gradient.
  const shape = [n, c, info.inHeight, info.inWidth];
  if (rows === info.inHeight && columns === info.inWidth) return result;
  const more = graph.int64([0, 0, 0, 0, 0, 0, info.inHeight - rows, info.inWidth - columns]);
  return graph.add("Pad", [result, more, graph.scalar(0)], { shape, type: "float32" });
}

export const layoutOf = (format: "channelsLast" | "channelsFirst") => (format === "channelsLast" ? NCHW : logical(4));

export function give(backend: TraceBackend, sym: Sym, format: "channelsLast" | "channelsFirst"): TensorInfo {
  const [n, c, h, w] = sym.shape as Shape4;
  return backend.give(sym, format === "channelsLast" ? [n, h, w, c] : [n, c, h, w], "float32", layoutOf(format));
}

function vector(backend: TraceBackend, graph: Graph, bias: TensorInfo | null): Sym | null {
  if (!bias) return null;
  const sym = backend.take(bias);
  return graph.reshape(sym, [sym.shape.reduce((a, b) => a * b, 1)]);
}
