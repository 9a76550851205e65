import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { NCHW } from "../layout.ts";
import { give } from "./conv.ts";
import type { Kernel, Kernels } from "./define.ts";
import { slide } from "./windows.ts";

/** Pooling over windows of an NHWC tensor. Means leave the padding out. */
export const pool: Kernels = {
  MaxPool: window("MaxPool", {}),
  AvgPool: window("AveragePool", { count_include_pad: 0 }),
};

function window(op: string, extra: Readonly<Record<string, number>>): Kernel {
  return ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x as TensorInfo;
    const info = backend_util.computePool2DInfo(
      x.shape as [number, number, number, number],
      attrs.filterSize,
      attrs.strides,
      1,
      attrs.pad,
      attrs.dimRoundingMode,
    );
    const sym = graph.cast(backend.take(x, NCHW), "float32");
    const result = slide(graph, op, [sym], info, extra);
    const out = give(backend, graph.cast(result, x.dtype as "float32"), "channelsLast");
    return { ...out, dtype: x.dtype };
  };
}
