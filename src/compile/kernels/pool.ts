import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { PipeError } from "../../errors.ts";
import { NCHW } from "../layout.ts";
import { give } from "./conv.ts";
import type { Kernel, Kernels } from "./define.ts";
import { padsOf, slide } from "./windows.ts";

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
    if (padsOf(info).some((pad, side) => pad >= (side % 2 === 0 ? info.filterHeight : info.filterWidth)))
      throw new PipeError(`${graph.name} pools windows that lie in the padding altogether, which cannot be compiled.`, {
        hint: "Use less padding, or round the output's size down.",
      });
    const sym = graph.cast(backend.take(x, NCHW), "float32");
    const result = slide(graph, op, [sym], info, extra);
    const out = give(backend, graph.cast(result, x.dtype as "float32"), "channelsLast");
    return { ...out, dtype: x.dtype };
  };
}
