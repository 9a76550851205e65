import type { Expression } from "./expression.ts";
import type { DrawnFace } from "./face.ts";
import { type Identity, mix } from "./identity.ts";
import type { Point } from "./shape.ts";
import { curve, path, rgb, tag } from "./svg.ts";

/**
 * The shadows that a mouth's corners cast and the folds from the wings of the nose down past them, as SVG elements to be
 * laid over the face. They go with the corners, and the folds deepen as those rise: on a small picture, where the lips
 * are few pixels high and may be hardly darker than the skin, they carry most of what can be seen of a smile.
 */
export function creases(identity: Identity, { mouthCurve }: Expression, { landmarks, box }: DrawnFace): string {
  const at = (i: number): Point => [landmarks[2 * i]!, landmarks[2 * i + 1]!];
  const unit = box.width / 2;
  const colour = rgb(mix(identity.skin, [40, 12, 8], 0.75));
  const deep = 0.35 + 0.5 / (1 + Math.exp(-14 * mouthCurve));
  return [
    [31, 48, -1],
    [35, 54, 1],
  ]
    .map(([wing, corner, side]) => {
      const [nx, ny] = at(wing!);
      const [cx, cy] = at(corner!);
      // From the nose outwards over the corner; the higher the corner, the more the fold is pushed out.
      const out = (0.13 + 0.35 * Math.max(-0.2, mouthCurve)) * unit * side!;
      const fold: Point[] = [
        [nx + 0.06 * unit * side!, ny - 0.02 * unit],
        [(nx + cx) / 2 + out, (ny + cy) / 2],
        [cx + 0.9 * out, cy + 0.06 * unit],
      ];
      return (
        path(curve(fold), {
          fill: "none",
          stroke: colour,
          "stroke-opacity": deep - 0.25,
          "stroke-width": 0.045 * unit,
          "stroke-linecap": "round",
        }) + tag("ellipse", { cx, cy, rx: 0.05 * unit, ry: 0.045 * unit, fill: colour, "fill-opacity": 0.7 })
      );
    })
    .join("");
}
