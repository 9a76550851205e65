/**
 * Centres of BlazeFace's anchors, normalised to 0..1, as x0, y0, x1, y1, …: for its own 256 × 256 input a 16 × 16 grid
 * with two anchors a cell, then an 8 × 8 grid with six, 896 in all; for others, in whole strides of 32, as many cells more (Bazarevsky et al., BlazeFace, 2019, §3.2 and
 * Fig. 2; MediaPipe's `face_detection_back` options: strides 16, 32, 32, 32, two anchors a layer, fixed anchor size).
 * Anchors have no size of their own: the network's sizes are pixels of the input.
 */
export function blazeFaceAnchors({ width, height } = { width: 256, height: 256 }): Float32Array {
  const grids = [
    { stride: 16, perCell: 2 },
    { stride: 32, perCell: 6 },
  ];
  const centres: number[] = [];
  for (const { stride, perCell } of grids) {
    const [columns, rows] = [width / stride, height / stride];
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++)
        for (let k = 0; k < perCell; k++) centres.push((x + 0.5) / columns, (y + 0.5) / rows);
  }
  return Float32Array.from(centres);
}
