import { backend_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { PipeError } from "../../errors.ts";
import type { Graph, Sym } from "../graph.ts";
import { NCHW, physical } from "../layout.ts";
import { give } from "./conv.ts";
import { type Call, type Kernel, type Kernels, sizeOf } from "./define.ts";
import { padsOf, slide } from "./windows.ts";

/** Pooling over windows of an NHWC tensor. Means leave the padding out. */
export const pool: Kernels = {
  MaxPool: window("MaxPool", {}),
  AvgPool: window("AveragePool", { count_include_pad: 0 }),
  /** Each output's gradient goes where its maximum was, the first of equal ones. */
  MaxPoolGrad: ({ inputs, attrs, backend, graph }) => {
    const { dy, input } = inputs as Record<"dy" | "input", TensorInfo>;
    const info = infoOf(graph, input, attrs);
    const x = backend.take(input, NCHW);
    const pads = padsOf(info);
    const out = physical(dy.shape, NCHW);
    const positions = graph.addMany(
      "MaxPool",
      [x],
      [
        { shape: out, type: "float32" },
        { shape: out, type: "int64" },
      ],
      {
        kernel_shape: [info.filterHeight, info.filterWidth],
        strides: [info.strideHeight, info.strideWidth],
        pads,
      },
    )[1]!;
    const flat = (sym: Sym) => graph.reshape(sym, [sizeOf(sym.shape)]);
    const size = sizeOf(x.shape);
    const zeros = graph.add("Expand", [graph.scalar(0), graph.int64([size])], { shape: [size], type: "float32" });
    const at = [zeros, flat(positions), flat(backend.take(dy, NCHW))];
    const sums = graph.add("ScatterElements", at, zeros, { axis: 0, reduction: "add" });
    return backend.give(graph.reshape(sums, x.shape), input.shape, "float32", NCHW);
  },
};

function window(op: string, extra: Readonly<Record<string, number>>): Kernel {
  return ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x as TensorInfo;
    const info = infoOf(graph, x, attrs);
    const sym = graph.cast(backend.take(x, NCHW), "float32");
    const result = slide(graph, op, [sym], info, extra);
    const out = give(backend, graph.cast(result, x.dtype as "float32"), "channelsLast");
    return { ...out, dtype: x.dtype };
  };
}

function infoOf(graph: Graph, x: TensorInfo, attrs: Call["attrs"]): backend_util.Conv2DInfo {
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
  return info;
}
