import { expect, test } from "vitest";
import { blazeFaceAnchors } from "../../src/vision/anchors.ts";

/** MediaPipe's SSD anchors as its options define them: layers of equal stride share a grid, two anchors a layer. */
function slowAnchors(): number[] {
  const strides = [16, 32, 32, 32];
  const centres: number[] = [];
  for (let layer = 0; layer < strides.length; ) {
    let same = layer;
    while (same < strides.length && strides[same] === strides[layer]) same++;
    const cells = Math.ceil(256 / strides[layer]!);
    for (let y = 0; y < cells; y++)
      for (let x = 0; x < cells; x++)
        for (let k = 0; k < 2 * (same - layer); k++) centres.push((x + 0.5) / cells, (y + 0.5) / cells);
    layer = same;
  }
  return centres;
}

test("anchors follow MediaPipe's options for the 256 × 256 network", () => {
  const anchors = blazeFaceAnchors();
  expect(anchors.length).toBe(896 * 2);
  expect([...anchors]).toEqual(slowAnchors());
});
