import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import type { Graph, Sym } from "../graph.ts";
import type { TraceBackend } from "../trace-backend.ts";
import { asIs, type Kernels, sizeOf } from "./define.ts";
import { transpose } from "./shape.ts";

/** Looking elements up by number, and putting them back. */
export const gather: Kernels = {
  GatherV2: ({ inputs, attrs, backend, graph }) => {
    const { x, indices } = inputs as Record<"x" | "indices", TensorInfo>;
    const axis = util.parseAxisParam(attrs.axis, x.shape)[0]!;
    const batchDims: number = attrs.batchDims < 0 ? attrs.batchDims + indices.shape.length : (attrs.batchDims ?? 0);
    if (batchDims > 0) return gatherBatched(backend, graph, x, indices, axis, batchDims);
    const picked = backend.take(indices);
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    const out = graph.add("Gather", [backend.take(x), picked], { shape, type: typeOf(x) }, { axis });
    return backend.give(out, shape, x.dtype);
  },
  GatherNd: ({ inputs, backend, graph }) => {
    const { params, indices } = inputs as Record<"params" | "indices", TensorInfo>;
    const depth = indices.shape.at(-1)!;
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
    const at = graph.cast(backend.take(indices), "int64");
    const out = graph.add("GatherND", [backend.take(params), at], { shape, type: typeOf(params) });
    return backend.give(out, shape, params.dtype);
  },
  ScatterNd: ({ inputs, attrs, backend, graph }) => {
    const { indices, updates } = inputs as Record<"indices" | "updates", TensorInfo>;
    const shape: number[] = attrs.shape;
    const type = typeOf(updates);
    const zeros = graph.add("Expand", [graph.scalar(0, type), graph.int64(shape)], { shape, type });
    const depth = indices.shape.at(-1)!;
    const values = graph.reshape(backend.take(updates), [...indices.shape.slice(0, -1), ...shape.slice(depth)]);
    return backend.give(scatter(graph, zeros, backend.take(indices), values, "add"), shape, updates.dtype);
  },
  TensorScatterUpdate: ({ inputs, backend, graph }) => {
    const { tensor, indices, updates } = inputs as Record<"tensor" | "indices" | "updates", TensorInfo>;
    const result = scatter(graph, backend.take(tensor), backend.take(indices), backend.take(updates), "none");
    return backend.give(result, tensor.shape, tensor.dtype);
  },
  UnsortedSegmentSum: ({ inputs, attrs, backend, graph }) => {
    const { x, segmentIds } = inputs as Record<"x" | "segmentIds", TensorInfo>;
    const count: number = attrs.numSegments;
    const rest = x.shape.slice(segmentIds.shape.length);
    const rows = sizeOf(segmentIds.shape);
    const type = typeOf(x);
    const ids = graph.reshape(backend.take(segmentIds), [rows, 1]);
    // Ids outside 0..count−1 are dropped: they go to one row more, which is cut off.
    const bool = { shape: ids.shape, type: "bool" } as const;
    const outside = graph.add(
      "Or",
      [
        graph.add("Less", [ids, graph.scalar(0, "int32")], bool),
        graph.add("GreaterOrEqual", [ids, graph.scalar(count, "int32")], bool),
      ],
      bool,
    );
    const safe = graph.add("Where", [outside, graph.scalar(count, "int32"), ids], ids);
    const padded = [count + 1, ...rest];
    const zeros = graph.add("Expand", [graph.scalar(0, type), graph.int64(padded)], { shape: padded, type });
    const sums = scatter(graph, zeros, safe, graph.reshape(backend.take(x), [rows, ...rest]), "add");
    const shape = [count, ...rest];
    const result = graph.add("Slice", [sums, graph.int64([0]), graph.int64([count]), graph.int64([0])], {
      shape,
      type,
    });
    return backend.give(result, shape, x.dtype);
  },
  OneHot: ({ inputs, attrs, backend, graph }) => {
    const indices = inputs.indices!;
    const depth: number = attrs.depth;
    const dtype: "float32" | "int32" | "bool" = attrs.dtype ?? "int32";
    const { sym, layout } = asIs(backend, indices);
    const numbers = graph.constant(
      Int32Array.from({ length: depth }, (_, i) => i),
      [depth],
      "int32",
    );
    const shape = [...sym.shape, depth];
    const hit = graph.add("Equal", [graph.reshape(sym, [...sym.shape, 1]), numbers], { shape, type: "bool" });
    const type = dtype === "bool" ? "int32" : dtype;
    const on = graph.scalar(attrs.onValue, type);
    const off = graph.scalar(attrs.offValue, type);
    const result = graph.cast(graph.add("Where", [hit, on, off], { shape, type }), dtype);
    return backend.give(result, [...indices.shape, depth], dtype, [...layout, layout.length]);
  },
  TopK: ({ inputs, attrs, backend, graph }) => {
    const x = inputs.x!;
    const k: number = attrs.k;
    const sym = backend.take(x);
    const shape = [...x.shape.slice(0, -1), k];
    const [values, at] = graph.addMany(
      "TopK",
      [sym, graph.int64([k])],
      [
        { shape, type: sym.type },
        { shape, type: "int64" },
      ],
      { axis: x.shape.length - 1, largest: 1, sorted: 1 },
    ) as [Sym, Sym];
    return [backend.give(values, shape, x.dtype), backend.give(graph.cast(at, "int32"), shape, "int32")];
  },
};

const typeOf = (info: TensorInfo) => info.dtype as "float32" | "int32" | "bool";

function scatter(graph: Graph, data: Sym, indices: Sym, updates: Sym, reduction: "add" | "none"): Sym {
  return graph.add("ScatterND", [data, graph.cast(indices, "int64"), updates], data, { reduction });
}

/** Rows of each batch are told apart by an offset, so that one plain Gather serves all. */
function gatherBatched(
  backend: TraceBackend,
  graph: Graph,
  x: TensorInfo,
  indices: TensorInfo,
  axis: number,
  batchDims: number,
): TensorInfo {
  const batch = x.shape.slice(0, batchDims);
  const outer = x.shape.slice(batchDims, axis);
  const inner = x.shape.slice(axis + 1);
  const picks = indices.shape.slice(batchDims);
  const [batches, length, rank] = [sizeOf(batch), x.shape[axis]!, x.shape.length];
  const axes = Array.from({ length: rank }, (_, i) => i);
  const front = [...axes.slice(0, batchDims), axis, ...axes.slice(batchDims, axis), ...axes.slice(axis + 1)];
  const rest = [...outer, ...inner];
  const table = graph.reshape(backend.take(transpose(backend, x, front)), [batches * length, ...rest]);
  const offsets = graph.constant(
    Int32Array.from({ length: batches }, (_, i) => i * length),
    [batches, 1],
    "int32",
  );
  const rows = graph.reshape(backend.take(indices), [batches, sizeOf(picks)]);
  const at = graph.add("Add", [rows, offsets], rows);
  const found = graph.add(
    "Gather",
    [table, at],
    { shape: [batches, sizeOf(picks), ...rest], type: table.type },
    { axis: 0 },
  );
  const apart = [...batch, ...picks, ...rest];
  const result = backend.give(graph.reshape(found, apart), apart, x.dtype);
  const p = picks.length;
  const back = [
    ...batch.map((_, i) => i),
    ...outer.map((_, i) => batchDims + p + i),
    ...picks.map((_, i) => batchDims + i),
    ...inner.map((_, i) => batchDims + p + outer.length + i),
  ];
  return transpose(backend, result, back);
}
