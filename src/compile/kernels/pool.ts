import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { NCHW } from "../layout.ts";
import { give, padsOf } from "./conv.ts";
import type { Kernel, Kernels } from "./define.ts";

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
    const shape = [info.batchSize, info.outChannels, info.outHeight, info.outWidth];
    const result = graph.add(
      op,
      [sym],
      { shape, type: "float32" },
      {
        kernel_shape: [info.filterHeight, info.filterWidth],
        strides: [info.strideHeight, info.strideWidth],
        pads: padsOf(info),
        ...extra,
      },
    );
    const out = give(backend, graph.cast(result, x.dtype as "float32"), "channelsLast");
    return { ...out, dtype: x.dtype };
  };
}
