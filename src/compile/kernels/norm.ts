import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { logical, NCHW } from "../layout.ts";
import type { TraceBackend } from "../trace-backend.ts";
import type { Kernels } from "./define.ts";
import { instanceNorm } from "./instance-norm.ts";

/** Normalisations, among them the composites. */
export const norm: Kernels = {
  FusedBatchNorm: ({ inputs, attrs, backend, graph }) => {
    const { x, mean, variance, offset, scale } = inputs as Record<"x" | "mean" | "variance", TensorInfo> & {
      offset?: TensorInfo;
      scale?: TensorInfo;
    };
    const channels = x.shape.at(-1)!;
    const sym = backend.take(x, channelsSecond(x.shape.length));
    const result = graph.add(
      "BatchNormalization",
      [
        sym,
        vector(backend, graph, scale, channels, 1),
        vector(backend, graph, offset, channels, 0),
        vector(backend, graph, mean, channels, 0),
        vector(backend, graph, variance, channels, 1),
      ],
      sym,
      { epsilon: { f: attrs.varianceEpsilon } },
    );
    return backend.give(result, x.shape, "float32", channelsSecond(x.shape.length));
  },
  LRN: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const sym = backend.take(x, NCHW);
    // ONNX divides alpha by the window's size, TensorFlow does not.
    const size = 2 * attrs.depthRadius + 1;
    const result = graph.add("LRN", [sym], sym, {
      size,
      alpha: { f: attrs.alpha * size },
      beta: { f: attrs.beta },
      bias: { f: attrs.bias },
    });
    return backend.give(result, x.shape, "float32", NCHW);
  },
  ...instanceNorm,
};

const channelsSecond = (rank: number) => (rank === 4 ? NCHW : [0, rank - 1, ...logical(rank).slice(1, -1)]);

function vector(
  backend: TraceBackend,
  graph: Graph,
  info: TensorInfo | undefined,
  channels: number,
  otherwise: number,
): Sym {
  if (!info) return graph.constant(new Float32Array(channels).fill(otherwise), [channels], "float32");
  return graph.reshape(backend.take(info), [channels]);
}
