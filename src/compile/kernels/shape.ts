import { slice_util, type TensorInfo, util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import { isLogical, type Layout, logical, NCHW, physical } from "../layout.ts";
import type { TraceBackend } from "../trace-backend.ts";
import { asIs, commonLayout, type Kernels, sizeOf } from "./define.ts";

/** Moving elements about. Most work in the layout at hand, with their axes looked up in it. */
export const shape: Kernels = {
  Reshape: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const target = util.inferFromImplicitShape(attrs.shape, sizeOf(x.shape));
    return reshape(backend, graph, x, target);
  },
  ExpandDims: ({ inputs, attrs, backend, graph }) => {
    const input = inputs.input!;
    const axis = attrs.dim < 0 ? input.shape.length + 1 + attrs.dim : attrs.dim;
    return reshape(backend, graph, input, input.shape.toSpliced(axis, 0, 1));
  },
  // Costs nothing: the same memory under another name for its axes.
  Transpose: ({ inputs, attrs, backend }) => {
    const x = inputs.x!;
    const { sym, layout } = asIs(backend, x);
    const perm: number[] = attrs.perm;
    const target = perm.map((axis) => x.shape[axis]!);
    const after = layout.map((axis) => perm.indexOf(axis));
    return backend.give(sym, target, x.dtype, after);
  },
  Concat: (call) => {
    const { attrs, backend, graph } = call;
    const all = Object.values(call.inputs);
    const rank = all[0]!.shape.length;
    const axis = attrs.axis < 0 ? attrs.axis + rank : attrs.axis;
    const layout = commonLayout(backend, all, rank);
    const parts = all.filter((info) => sizeOf(info.shape) > 0);
    const total = all.reduce((sum, info) => sum + info.shape[axis]!, 0);
    const target = all[0]!.shape.with(axis, total);
    const syms = (parts.length > 0 ? parts : all.slice(0, 1)).map((info) => backend.take(info, layout));
    const out = { shape: physical(target, layout), type: syms[0]!.type };
    const result = syms.length === 1 ? syms[0]! : graph.add("Concat", syms, out, { axis: layout.indexOf(axis) });
    return backend.give(result, target, all[0]!.dtype, layout);
  },
  Slice: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const [begin, size] = slice_util.parseSliceParams(x as never, attrs.begin, attrs.size) as [number[], number[]];
    return slice(backend, graph, x, begin, size, new Array(begin.length).fill(1));
  },
  StridedSlice: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const { begin, end, strides, finalShape } = slice_util.sliceInfo(
      x.shape,
      attrs.begin,
      attrs.end,
      attrs.strides,
      attrs.beginMask,
      attrs.endMask,
      attrs.ellipsisMask,
      attrs.newAxisMask,
      attrs.shrinkAxisMask,
    );
    const size = slice_util.computeOutShape(begin, end, strides);
    return reshape(backend, graph, slice(backend, graph, x, begin, size, strides), finalShape);
  },
  SplitV: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const axis = util.parseAxisParam(attrs.axis, x.shape)[0]!;
    const sizes = splitSizes(attrs.numOrSizeSplits, x.shape[axis]!);
    const { sym, layout } = asIs(backend, x);
    const shapes = sizes.map((size) => x.shape.with(axis, size));
    const specs = shapes.map((part) => ({ shape: physical(part, layout), type: sym.type }));
    const parts = graph.addMany("Split", [sym, graph.int64(sizes)], specs, { axis: layout.indexOf(axis) });
    return parts.map((part, i) => backend.give(part, shapes[i]!, x.dtype, layout));
  },
  Pack: (call) => {
    const { attrs, backend, graph } = call;
    const all = Object.values(call.inputs);
    const rank = all[0]!.shape.length;
    const axis = attrs.axis < 0 ? attrs.axis + rank + 1 : attrs.axis;
    const layout = commonLayout(backend, all, rank);
    // In the logical order the new axis has its place; elsewhere it may lie outermost, where joining is one copy each.
    const at = isLogical(layout) ? axis : 0;
    const after = layout.map((a) => (a >= axis ? a + 1 : a)).toSpliced(at, 0, axis);
    const target = all[0]!.shape.toSpliced(axis, 0, all.length);
    const syms = all.map((info) => {
      const sym = backend.take(info, layout);
      return graph.reshape(sym, sym.shape.toSpliced(at, 0, 1));
    });
    const result = graph.add("Concat", syms, { shape: physical(target, after), type: syms[0]!.type }, { axis: at });
    return backend.give(result, target, all[0]!.dtype, after);
  },
  Unpack: ({ inputs, attrs, backend, graph }) => {
    const value = inputs.value!;
    const axis = attrs.axis < 0 ? attrs.axis + value.shape.length : attrs.axis;
    const { sym, layout } = asIs(backend, value);
    const count = value.shape[axis]!;
    const target = value.shape.toSpliced(axis, 1);
    if (count === 0) return [];
    const spec = { shape: physical(value.shape.with(axis, 1), layout), type: sym.type };
    const parts = graph.addMany("Split", [sym], new Array(count).fill(spec), {
      axis: layout.indexOf(axis),
      num_outputs: count,
    });
    const after = layout.filter((a) => a !== axis).map((a) => (a > axis ? a - 1 : a));
    return parts.map((part) => backend.give(graph.reshape(part, physical(target, after)), target, value.dtype, after));
  },
  Tile: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const reps: number[] = attrs.reps;
    const target = x.shape.map((length, axis) => length * reps[axis]!);
    const { sym, layout } = asIs(backend, x);
    const out = { shape: physical(target, layout), type: sym.type };
    if (reps.every((n) => n === 1)) return backend.give(sym, x.shape, x.dtype, layout);
    // tf.broadcastTo arrives here too.
    const spread = reps.every((n, axis) => n === 1 || x.shape[axis] === 1);
    const result = spread
      ? graph.add("Expand", [sym, graph.int64(out.shape)], out)
      : graph.add("Tile", [sym, graph.int64(physical(reps, layout))], out);
    return backend.give(result, target, x.dtype, layout);
  },
  PadV2: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const paddings: [number, number][] = attrs.paddings;
    const target = x.shape.map((length, axis) => length + paddings[axis]![0] + paddings[axis]![1]);
    const { sym, layout } = asIs(backend, x);
    if (paddings.every(([a, b]) => a === 0 && b === 0)) return backend.give(sym, x.shape, x.dtype, layout);
    const pads = [...layout.map((axis) => paddings[axis]![0]), ...layout.map((axis) => paddings[axis]![1])];
    const result = graph.add("Pad", [sym, graph.int64(pads), graph.scalar(attrs.constantValue, sym.type)], {
      shape: physical(target, layout),
      type: sym.type,
    });
    return backend.give(result, target, x.dtype, layout);
  },
  MirrorPad: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const paddings: [number, number][] = attrs.paddings;
    const { sym, layout } = asIs(backend, x);
    const skip = attrs.mode === "reflect" ? 1 : 0;
    let result = sym;
    layout.forEach((axis, p) => {
      const [before, behind] = paddings[axis]!;
      const length = x.shape[axis]!;
      if (before === 0 && behind === 0) return;
      const positions = Array.from({ length: before + length + behind }, (_, i) => {
        const at = i - before;
        if (at < 0) return -at - 1 + skip;
        return at < length ? at : 2 * length - 1 - at - skip;
      });
      result = gatherAxis(graph, result, positions, p);
    });
    const target = x.shape.map((length, axis) => length + paddings[axis]![0] + paddings[axis]![1]);
    return backend.give(result, target, x.dtype, layout);
  },
  Reverse: ({ inputs, attrs, backend, graph }) =>
    reverse(backend, graph, inputs.x!, util.parseAxisParam(attrs.dims, inputs.x!.shape)),
  FlipLeftRight: ({ inputs, backend, graph }) => reverse(backend, graph, inputs.image!, [2]),
  DepthToSpace: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const block: number = attrs.blockSize;
    const channelsLast = attrs.dataFormat === "NHWC";
    const layout = channelsLast ? NCHW : logical(4);
    const sym = backend.take(x, layout);
    const [n, c, h, w] = sym.shape as [number, number, number, number];
    const outer = [n, c / block ** 2, h * block, w * block];
    const result = graph.add(
      "DepthToSpace",
      [sym],
      { shape: outer, type: sym.type },
      { blocksize: block, mode: "DCR" },
    );
    const target = channelsLast ? [outer[0]!, outer[2]!, outer[3]!, outer[1]!] : outer;
    return backend.give(result, target, x.dtype, layout);
  },
  BatchToSpaceND: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const block: number[] = attrs.blockShape;
    const crops: [number, number][] = attrs.crops;
    const m = block.length;
    const batch = x.shape[0]! / sizeOf(block);
    const space = x.shape.slice(1, m + 1);
    const rest = x.shape.slice(m + 1);
    const split = backend.give(
      graph.reshape(backend.take(x), [...block, batch, ...space, ...rest]),
      [...block, batch, ...space, ...rest],
      x.dtype,
    );
    const perm = [m, ...space.flatMap((_, i) => [m + 1 + i, i]), ...rest.map((_, i) => 2 * m + 1 + i)];
    const merged = [batch, ...space.map((length, i) => length * block[i]!), ...rest];
    const moved = transpose(backend, split, perm);
    const whole = backend.give(graph.reshape(backend.take(moved), merged), merged, x.dtype);
    const begin = [0, ...crops.map(([a]) => a), ...rest.map(() => 0)];
    const size = [batch, ...crops.map(([a, b], i) => merged[i + 1]! - a - b), ...rest];
    return slice(
      backend,
      graph,
      whole,
      begin,
      size,
      merged.map(() => 1),
    );
  },
  SpaceToBatchND: (call) => {
    const { inputs, attrs, backend, graph } = call;
    const x = inputs.x!;
    const block: number[] = attrs.blockShape;
    const m = block.length;
    const paddings: [number, number][] = [
      [0, 0],
      ...attrs.paddings,
      ...x.shape.slice(m + 1).map((): [number, number] => [0, 0]),
    ];
    const padded = shape.PadV2!({ ...call, inputs: { x }, attrs: { paddings, constantValue: 0 } }) as TensorInfo;
    const batch = x.shape[0]!;
    const space = padded.shape.slice(1, m + 1).map((length, i) => length / block[i]!);
    const rest = x.shape.slice(m + 1);
    const apart = [batch, ...space.flatMap((length, i) => [length, block[i]!]), ...rest];
    const split = backend.give(graph.reshape(backend.take(padded), apart), apart, x.dtype);
    const perm = [
      ...block.map((_, i) => 2 + 2 * i),
      0,
      ...block.map((_, i) => 1 + 2 * i),
      ...rest.map((_, i) => 2 * m + 1 + i),
    ];
    const target = [batch * sizeOf(block), ...space, ...rest];
    return backend.give(graph.reshape(backend.take(transpose(backend, split, perm)), target), target, x.dtype);
  },
};

/** Reshapes: in the layout at hand where only axes of length 1 come or go, else from the logical order. */
export function reshape(backend: TraceBackend, graph: Graph, x: TensorInfo, target: readonly number[]): TensorInfo {
  const { sym, layout } = asIs(backend, x);
  const after = isLogical(layout) ? null : relayout(x.shape, layout, target);
  if (after) return backend.give(graph.reshape(sym, physical(target, after)), target, x.dtype, after);
  return backend.give(graph.reshape(backend.take(x), target), target, x.dtype);
}

/** The layout after a reshape that keeps all axes longer than 1; null if it does not. */
function relayout(from: readonly number[], layout: Layout, to: readonly number[]): Layout | null {
  const long = (lengths: readonly number[]) => lengths.flatMap((length, axis) => (length === 1 ? [] : [axis]));
  const [before, behind] = [long(from), long(to)];
  if (before.length !== behind.length || before.some((axis, i) => from[axis] !== to[behind[i]!])) return null;
  const order = layout.filter((axis) => from[axis] !== 1).map((axis) => behind[before.indexOf(axis)]!);
  const ones = logical(to.length).filter((axis) => to[axis] === 1);
  // Axes of length 1 may lie anywhere: before the next longer axis keeps a logical order logical.
  const result = [...order];
  for (const one of ones) {
    const next = result.findIndex((axis) => axis === one + 1);
    const previous = result.indexOf(one - 1);
    result.splice(previous >= 0 ? previous + 1 : Math.max(next, 0), 0, one);
  }
  return result;
}

export function transpose(backend: TraceBackend, x: TensorInfo, perm: readonly number[]): TensorInfo {
  const { sym, layout } = asIs(backend, x);
  return backend.give(
    sym,
    perm.map((axis) => x.shape[axis]!),
    x.dtype,
    layout.map((axis) => perm.indexOf(axis)),
  );
}

export function slice(
  backend: TraceBackend,
  graph: Graph,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
  strides: readonly number[],
): TensorInfo {
  const { sym, layout } = asIs(backend, x);
  const axes = layout
    .map((axis, p) => ({ axis, p }))
    .filter(({ axis }) => size[axis] !== x.shape[axis] || strides[axis] !== 1);
  if (axes.length === 0) return backend.give(sym, size, x.dtype, layout);
  const starts = axes.map(({ axis }) => begin[axis]!);
  // Going backwards, the end lies before 0, where ONNX would count from behind: say "far before".
  const ends = axes.map(({ axis }) => {
    const end = begin[axis]! + size[axis]! * strides[axis]!;
    return end < 0 ? -(2 ** 31) : end;
  });
  const result = graph.add(
    "Slice",
    [
      sym,
      graph.int64(starts),
      graph.int64(ends),
      graph.int64(axes.map(({ p }) => p)),
      graph.int64(axes.map(({ axis }) => strides[axis]!)),
    ],
    { shape: physical(size, layout), type: sym.type },
  );
  return backend.give(result, size, x.dtype, layout);
}

/** Picks positions, known while tracing, along one physical axis. */
export function gatherAxis(graph: Graph, sym: Sym, positions: readonly number[], axis: number): Sym {
  const out = { shape: sym.shape.with(axis, positions.length), type: sym.type };
  return graph.add("Gather", [sym, graph.int64(positions)], out, { axis });
}

function reverse(backend: TraceBackend, graph: Graph, x: TensorInfo, dims: readonly number[]): TensorInfo {
  const backwards = (axis: number) => dims.includes(axis) && x.shape[axis]! > 1;
  const begin = x.shape.map((length, axis) => (backwards(axis) ? length - 1 : 0));
  return slice(
    backend,
    graph,
    x,
    begin,
    x.shape,
    x.shape.map((_, axis) => (backwards(axis) ? -1 : 1)),
  );
}

function splitSizes(given: number | number[], length: number): number[] {
  if (typeof given === "number") return new Array<number>(given).fill(length / given);
  const known = given.filter((size) => size >= 0).reduce((a, b) => a + b, 0);
  return given.map((size) => (size < 0 ? length - known : size));
}
