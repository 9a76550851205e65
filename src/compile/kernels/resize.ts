import { type Kernels, layoutImage } from "./define.ts";
import { gatherAxis } from "./shape.ts";

/** Resizing NHWC images. */
export const resize: Kernels = {
  ResizeBilinear: ({ inputs, attrs, backend, graph }) => {
    const images = inputs.images!;
    const [height, width]: [number, number] = attrs.size;
    const { sym, layout } = layoutImage(backend, images);
    const value = graph.cast(sym, "float32");
    const shape = value.shape.with(2, height).with(3, width);
    const mode = attrs.alignCorners ? "align_corners" : attrs.halfPixelCenters ? "half_pixel" : "asymmetric";
    const result = graph.add(
      "Resize",
      [value, null, null, graph.int64(shape)],
      { shape, type: "float32" },
      {
        mode: "linear",
        coordinate_transformation_mode: mode,
      },
    );
    const target = [images.shape[0]!, height, width, images.shape[3]!];
    return backend.give(result, target, "float32", layout);
  },
  /** Rows and columns are picked by number: ONNX' rounding modes leave the choice at exact halves to the runtime. */
  ResizeNearestNeighbor: ({ inputs, attrs, backend, graph }) => {
    const images = inputs.images!;
    const [height, width]: [number, number] = attrs.size;
    const { sym, layout } = layoutImage(backend, images);
    const rows = nearest(sym.shape[2]!, height, attrs.alignCorners, attrs.halfPixelCenters);
    const columns = nearest(sym.shape[3]!, width, attrs.alignCorners, attrs.halfPixelCenters);
    const result = gatherAxis(graph, gatherAxis(graph, sym, rows, 2), columns, 3);
    return backend.give(result, [images.shape[0]!, height, width, images.shape[3]!], images.dtype, layout);
  },
};

function nearest(from: number, to: number, alignCorners: boolean, halfPixelCenters: boolean): number[] {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return Array.from({ length: to }, (_, i) => {
    const at = scale * (halfPixelCenters ? i + 0.5 : i);
    return Math.max(0, Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at)));
  });
}
