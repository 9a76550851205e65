import { type Identity, mix } from "./identity.ts";
import type { Point, Point3 } from "./shape.ts";
import { curve, path, rgb } from "./svg.ts";

/** What hangs behind the head, drawn before it. */
export function hairBehind({ hair }: Identity, project: (point: Point3) => Point): string {
  const fill = rgb(mix(hair.colour, BLACK, 0.25));
  const shape = (points: Point3[]) => path(curve(points.map(project), true), { fill });
  switch (hair.style) {
    case "long":
      return shape(
        mirrored([
          [0, -1.5, -0.2],
          [0.75, -1.3, -0.2],
          [1.18, -0.6, -0.2],
          [1.22, 0.3, -0.2],
          [1.3, 1.25, -0.3],
          [0.75, 1.6, -0.3],
        ]),
      );
    case "bun":
      return shape(
        mirrored([
          [0, -1.95, -0.4],
          [0.3, -1.88, -0.4],
          [0.42, -1.6, -0.4],
          [0.32, -1.3, -0.4],
          [0, -1.2, -0.4],
        ]),
      );
    case "curly":
      return shape(
        mirrored([
          [0, -1.62, -0.2],
          [0.5, -1.6, -0.2],
          [0.9, -1.3, -0.2],
          [1.2, -0.9, -0.2],
          [1.24, -0.4, -0.2],
          [1.12, 0.1, -0.2],
          [0.9, 0.3, -0.2],
        ]),
      );
    default:
      return "";
  }
}

/** What lies on the head, drawn after it. */
export function hairAbove({ hair }: Identity, project: (point: Point3) => Point): string {
  const points = OUTLINES[hair.style];
  if (points === null) return "";
  const outline = curve(points.map(project), true);
  const shine = points
    .slice(0, Math.ceil(points.length / 2))
    .map(([x, y, z]): Point3 => [x * 0.8, y * 0.93 + 0.02, z + 0.2]);
  return (
    path(outline, { fill: rgb(hair.colour) }) +
    path(curve(shine.slice(1, -1).map(project)), {
      fill: "none",
      stroke: rgb(mix(hair.colour, [255, 250, 240], 0.35)),
      "stroke-opacity": 0.35,
      "stroke-width": Math.abs(project([0.08, 0, 0])[0] - project([0, 0, 0])[0]),
      "stroke-linecap": "round",
    })
  );
}

const BLACK = [0, 0, 0] as const;

/** The right half of an outline, top to bottom, and its mirror image. */
function mirrored(right: readonly Point3[]): Point3[] {
  const left = right.filter(([x]) => x !== 0).map(([x, y, z]): Point3 => [-x, y, z]);
  return [...right, ...left.reverse()];
}

/** Each starts at the viewer's left temple and runs over the crown, then back along the hairline. */
const OUTLINES: Readonly<Record<Identity["hair"]["style"], readonly Point3[] | null>> = {
  bald: null,
  short: [
    [-1.02, -0.2, 0],
    [-1.07, -0.75, 0],
    [-0.72, -1.3, 0],
    [0, -1.5, 0],
    [0.72, -1.3, 0],
    [1.07, -0.75, 0],
    [1.02, -0.2, 0],
    [0.93, -0.5, 0.2],
    [0.72, -0.88, 0.35],
    [0.25, -1, 0.45],
    [-0.25, -1, 0.45],
    [-0.72, -0.88, 0.35],
    [-0.93, -0.5, 0.2],
  ],
  parted: [
    [-1.03, -0.1, 0],
    [-1.1, -0.75, 0],
    [-0.72, -1.38, 0],
    [0, -1.6, 0],
    [0.75, -1.4, 0],
    [1.1, -0.75, 0],
    [1.03, -0.1, 0],
    [0.92, -0.5, 0.2],
    [0.6, -0.8, 0.4],
    [0, -0.95, 0.45],
    [-0.45, -1.12, 0.45],
    [-0.7, -0.8, 0.35],
    [-0.94, -0.5, 0.2],
  ],
  fringe: [
    [-1.05, 0.1, 0],
    [-1.12, -0.7, 0],
    [-0.75, -1.35, 0],
    [0, -1.55, 0],
    [0.75, -1.35, 0],
    [1.12, -0.7, 0],
    [1.05, 0.1, 0],
    [0.95, -0.35, 0.2],
    [0.8, -0.68, 0.35],
    [0.4, -0.74, 0.5],
    [0, -0.78, 0.5],
    [-0.4, -0.74, 0.5],
    [-0.8, -0.68, 0.35],
    [-0.95, -0.35, 0.2],
  ],
  curly: [
    [-1.08, -0.1, 0],
    [-1.2, -0.5, 0],
    [-1.14, -0.95, 0],
    [-0.85, -1.2, 0],
    [-0.72, -1.5, 0],
    [-0.3, -1.52, 0],
    [0, -1.68, 0],
    [0.3, -1.52, 0],
    [0.72, -1.5, 0],
    [0.85, -1.2, 0],
    [1.14, -0.95, 0],
    [1.2, -0.5, 0],
    [1.08, -0.1, 0],
    [0.95, -0.5, 0.2],
    [0.78, -0.7, 0.3],
    [0.6, -0.96, 0.4],
    [0.3, -0.9, 0.45],
    [0, -1.02, 0.45],
    [-0.3, -0.9, 0.45],
    [-0.6, -0.96, 0.4],
    [-0.78, -0.7, 0.3],
    [-0.95, -0.5, 0.2],
  ],
  long: [
    [-1.06, 0.9, 0],
    [-1.16, 0, 0],
    [-1.08, -0.8, 0],
    [-0.7, -1.38, 0],
    [0, -1.58, 0],
    [0.7, -1.38, 0],
    [1.08, -0.8, 0],
    [1.16, 0, 0],
    [1.06, 0.9, 0],
    [0.97, 0.1, 0.15],
    [0.88, -0.5, 0.25],
    [0.5, -0.9, 0.4],
    [0, -1.12, 0.45],
    [-0.5, -0.9, 0.4],
    [-0.88, -0.5, 0.25],
    [-0.97, 0.1, 0.15],
  ],
  bun: [
    [-1.01, 0, 0],
    [-1.05, -0.7, 0],
    [-0.7, -1.28, 0],
    [0, -1.48, 0],
    [0.7, -1.28, 0],
    [1.05, -0.7, 0],
    [1.01, 0, 0],
    [0.92, -0.5, 0.2],
    [0.62, -0.88, 0.4],
    [0, -1.08, 0.45],
    [-0.62, -0.88, 0.4],
    [-0.92, -0.5, 0.2],
  ],
};
