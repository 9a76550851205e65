import { broadcast_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { isLogical, type Layout, logical, NCHW } from "../layout.ts";
import type { TraceBackend } from "../trace-backend.ts";

/** What a kernel is called with: TensorFlow.js' inputs and attributes, and the graph to append to. */
export interface Call {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  // biome-ignore lint/suspicious/noExplicitAny: attributes are TensorFlow.js' own, different for each kernel.
  readonly attrs: any;
  readonly backend: TraceBackend;
  readonly graph: Graph;
}

/** Appends the nodes of one TensorFlow.js kernel and says what it gives. Called only when an input is not constant. */
export type Kernel = (call: Call) => TensorInfo | TensorInfo[];
export type Kernels = Readonly<Record<string, Kernel>>;

/** Like graph.add, for a result shaped and typed as one of its inputs. */
export const same = (graph: Graph, op: string, x: Sym, attributes: Parameters<Graph["add"]>[3] = {}): Sym =>
  graph.add(op, [x], x, attributes);

/** The layout that most of the work already has: that of the largest traced tensor of the highest rank. */
export function commonLayout(backend: TraceBackend, infos: readonly TensorInfo[], rank: number): Layout {
  let best: Layout | null = null;
  let most = -1;
  for (const info of infos) {
    const layout = info.shape.length === rank ? backend.layout(info) : null;
    const size = util.sizeFromShape(info.shape);
    if (!layout || size < most || (size === most && best && !isLogical(best))) continue;
    best = layout;
    most = size;
  }
  return best ?? logical(rank);
}

/** Tensors brought into one layout for an element-wise op, and the shape that broadcasting gives. */
export function broadcast(backend: TraceBackend, infos: readonly TensorInfo[]) {
  const shape = infos.map((info) => info.shape).reduce((a, b) => broadcast_util.assertAndGetBroadcastShape(a, b));
  const layout = commonLayout(backend, infos, shape.length);
  const syms = infos.map((info) => backend.takeBroadcast(info, layout));
  return { syms, shape, layout, physical: layout.map((axis) => shape[axis]!) };
}

/** The only tensor of a unary kernel, in the layout that it has. */
export function asIs(backend: TraceBackend, info: TensorInfo): { sym: Sym; layout: Layout } {
  const layout = backend.layout(info) ?? logical(info.shape.length);
  return { sym: backend.take(info, layout), layout };
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** An NHWC image batch, brought to NCHW in memory. */
export function layoutImage(backend: TraceBackend, info: TensorInfo): { sym: Sym; layout: Layout } {
  return { sym: backend.take(info, NCHW), layout: NCHW };
}
