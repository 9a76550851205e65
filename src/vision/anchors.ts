/**
 * Centres of BlazeFace's anchors for its 256 × 256 input, normalised to 0..1, as x0, y0, x1, y1, …, length 896 × 2:
 * a 16 × 16 grid with two anchors a cell, then an 8 × 8 grid with six (Bazarevsky et al., BlazeFace, 2019, §3.2 and
 * Fig. 2; MediaPipe's `face_detection_back` options: strides 16, 32, 32, 32, two anchors a layer, fixed anchor size).
 * Anchors have no size of their own: the network's sizes are pixels of the input.
 */
export function blazeFaceAnchors(): Float32Array {
  const grids = [
    { cells: 16, perCell: 2 },
    { cells: 8, perCell: 6 },
  ];
  const centres: number[] = [];
  for (const { cells, perCell } of grids)
    for (let y = 0; y < cells; y++)
      for (let x = 0; x < cells; x++)
        for (let k = 0; k < perCell; k++) centres.push((x + 0.5) / cells, (y + 0.5) / cells);
  return Float32Array.from(centres);
}
