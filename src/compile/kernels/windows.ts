import type { backend_util } from "@tensorflow/tfjs-core";
import type { Attribute, Graph, Sym } from "../graph.ts";

type Info = backend_util.Conv2DInfo;

/**
 * A node that slides a window over an NCHW tensor (Conv, MaxPool, AveragePool) and gives the size that TensorFlow.js
 * says: that one may be rounded up, and with a numeric pad its width is worked out from the kernel's height.
 */
export function slide(
  graph: Graph,
  op: string,
  inputs: readonly Sym[],
  info: Info,
  attributes: Readonly<Record<string, Attribute>>,
): Sym {
  const pads = padsOf(info);
  const natural = (length: number, near: number, far: number, kernel: number, stride: number) =>
    Math.floor((length + near + far - kernel) / stride) + 1;
  const rows = natural(info.inHeight, pads[0], pads[2], info.effectiveFilterHeight, info.strideHeight);
  const columns = natural(info.inWidth, pads[1], pads[3], info.effectiveFilterWidth, info.strideWidth);
  const result = graph.add(
    op,
    inputs,
    { shape: [info.batchSize, info.outChannels, rows, columns], type: "float32" },
    {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      pads,
      ...attributes,
    },
  );
  return crop(graph, result, [0, 0], [info.outHeight, info.outWidth]);
}

/**
 * ONNX' pads [top, left, bottom, right]. The far sides are what the output's size asks for, since TensorFlow.js may
 * round that size up where ONNX rounds down.
 */
export function padsOf(info: Info): [number, number, number, number] {
  const far = (out: number, stride: number, kernel: number, length: number, near: number) =>
    Math.max(0, (out - 1) * stride + kernel - length - near);
  const { top, left } = info.padInfo;
  return [
    top,
    left,
    far(info.outHeight, info.strideHeight, info.effectiveFilterHeight, info.inHeight, top),
    far(info.outWidth, info.strideWidth, info.effectiveFilterWidth, info.inWidth, left),
  ];
}

/** Rows and columns of an NCHW tensor from a corner on; the tensor itself when that is all of it. */
export function crop(graph: Graph, x: Sym, [top, left]: [number, number], [rows, columns]: [number, number]): Sym {
  const [n, c, height, width] = x.shape as [number, number, number, number];
  if (rows === height && columns === width) return x;
  return graph.add(
    "Slice",
    [x, graph.int64([top, left]), graph.int64([top + rows, left + columns]), graph.int64([2, 3])],
    { shape: [n, c, rows, columns], type: x.type },
  );
}
