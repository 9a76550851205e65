import type { Box } from "../../records.ts";
import type { Expression, Pose } from "./expression.ts";
import { hairAbove, hairBehind } from "./hair.ts";
import { type Colour, type Identity, mix } from "./identity.ts";
import { EYE_Y, landmarksOf, noseBase, type Placement, type Point, type Point3, projector } from "./shape.ts";
import { curve, gradient, path, rgb, tag } from "./svg.ts";

export interface DrawnFace {
  /** SVG elements in pixels of the frame; put several faces into one picture by giving each its own `id`. */
  readonly svg: string;
  /** 68 landmarks, x0, y0, x1, y1, … in pixels of the frame (order: see `landmarksOf`). */
  readonly landmarks: Float32Array;
  /** The smallest box round the landmarks. */
  readonly box: Box;
}

/** Draws one person's head and shoulders, and says where the face is. The same arguments give the same text. */
export function drawFace(
  identity: Identity,
  expression: Expression,
  pose: Pose,
  placement: Placement,
  id = "f",
): DrawnFace {
  const project = projector(pose, placement);
  const points = landmarksOf(identity, expression).map(project);
  const pen: Pen = { identity, expression, points, project, unit: placement.width / 2, id };
  const svg = [
    definitions(pen),
    hairBehind(identity, project),
    body(pen, placement),
    head(pen),
    eyes(pen),
    nose(pen),
    mouth(pen),
    hairAbove(identity, project),
    brows(pen),
    glasses(pen),
  ].join("");
  const landmarks = Float32Array.from(points.flat());
  return { svg, landmarks, box: boxRound(points) };
}

interface Pen {
  readonly identity: Identity;
  readonly expression: Expression;
  readonly points: readonly Point[];
  readonly project: (point: Point3) => Point;
  /** Pixels of one face unit. */
  readonly unit: number;
  readonly id: string;
}

const BLACK: Colour = [20, 12, 10];
const WHITE: Colour = [255, 250, 244];

const shade = (skin: Colour, share: number) => mix(skin, [70, 26, 14], share);

function definitions({ identity: { skin, shirt }, id }: Pen): string {
  const shine = mix(skin, WHITE, 0.45);
  const blush = mix(skin, [205, 70, 60], 0.55);
  return [
    "<defs>",
    gradient("radialGradient", `${id}s`, { cx: 0.42, cy: 0.42, r: 0.66 }, [
      [0, mix(skin, WHITE, 0.22)],
      [0.55, skin],
      [1, shade(skin, 0.42)],
    ]),
    gradient("linearGradient", `${id}n`, { x1: 0, y1: 0, x2: 0, y2: 1 }, [
      [0, shade(skin, 0.55)],
      [0.55, shade(skin, 0.25)],
    ]),
    gradient("radialGradient", `${id}b`, {}, [
      [0, blush, 0.5],
      [1, blush, 0],
    ]),
    gradient("radialGradient", `${id}e`, {}, [
      [0.2, shade(skin, 0.6), 0.55],
      [1, shade(skin, 0.6), 0],
    ]),
    gradient("radialGradient", `${id}h`, {}, [
      [0, shine, 0.6],
      [1, shine, 0],
    ]),
    gradient("linearGradient", `${id}t`, { x1: 0, y1: 0, x2: 1, y2: 1 }, [
      [0, mix(shirt, WHITE, 0.15)],
      [1, mix(shirt, BLACK, 0.35)],
    ]),
    "</defs>",
  ].join("");
}

/** Neck and shoulders follow the head's place but not its turning. */
function body({ unit, id, identity: { chin } }: Pen, { x, y }: Placement): string {
  const at = (dx: number, dy: number): Point => [x + dx * unit, y + dy * unit];
  const right: Point[] = [
    [0.5, 1.72],
    [1.5, 1.98],
    [2, 2.25],
    [2.25, 2.9],
    [2.3, 4],
    [2.3, 6],
    [2.3, 10],
    [2.3, 14],
  ];
  const left = right.map(([dx, dy]): Point => [-dx, dy]).reverse();
  const shoulders = curve(
    [...left, [0, 1.86] as const, ...right].map(([dx, dy]) => at(dx, dy)),
    true,
  );
  const neck = curve(
    [at(-0.52, 0.6), at(-0.5, 1.4), at(-0.66, 1.82), at(0, 2.06), at(0.66, 1.82), at(0.5, 1.4), at(0.52, 0.6)],
    true,
  );
  const [cx, cy] = at(0, chin + 0.15);
  return (
    path(shoulders, { fill: `url(#${id}t)` }) +
    path(neck, { fill: `url(#${id}n)` }) +
    tag("ellipse", { cx, cy, rx: 0.6 * unit, ry: 0.35 * unit, fill: `url(#${id}e)` })
  );
}

function head(pen: Pen): string {
  const { identity, points, project, unit, id } = pen;
  const { skin } = identity;
  const ears = [-1, 1].map((side) => {
    const [cx, cy] = project([side * 1.0, -0.02, -0.1]);
    const ear = { cx, cy, fill: rgb(shade(skin, 0.18)) };
    return (
      tag("ellipse", { ...ear, rx: 0.14 * unit, ry: 0.27 * unit }) +
      tag("ellipse", { ...ear, rx: 0.06 * unit, ry: 0.15 * unit, fill: rgb(shade(skin, 0.4)) })
    );
  });
  const skull = Array.from({ length: 9 }, (_, i): Point3 => {
    const angle = (Math.PI * (i + 1)) / 10;
    return [0.99 * Math.cos(angle), EYE_Y - 1.2 * Math.sin(angle), 0.1];
  });
  const outline = curve([...points.slice(0, 17), ...skull.map(project)], true);
  const glow = (at: Point3, rx: number, ry: number, fill: string) => {
    const [cx, cy] = project(at);
    return tag("ellipse", { cx, cy, rx: rx * unit, ry: ry * unit, fill: `url(#${id}${fill})` });
  };
  return [
    ...ears,
    path(outline, { fill: `url(#${id}s)` }),
    identity.beard ? beard(pen) : "",
    glow([-0.55, 0.36, 0.6], 0.3, 0.24, "b"),
    glow([0.55, 0.36, 0.6], 0.3, 0.24, "b"),
    glow([-identity.eyeSpacing, EYE_Y - 0.05, 0.55], 0.34, 0.26, "e"),
    glow([identity.eyeSpacing, EYE_Y - 0.05, 0.55], 0.34, 0.26, "e"),
    glow([-0.12, -0.72, 0.5], 0.5, 0.25, "h"),
    glow([0, identity.chin - 0.17, 0.7], 0.18, 0.11, "h"),
  ].join("");
}

function beard({ identity, points, project }: Pen): string {
  const base = noseBase(identity);
  const inner: Point3[] = [
    [0.74, 0.3, 0.3],
    [0.55, base + 0.1, 0.6],
    [0.2, base + 0.08, 0.8],
    [0, base + 0.1, 0.8],
    [-0.2, base + 0.08, 0.8],
    [-0.55, base + 0.1, 0.6],
    [-0.74, 0.3, 0.3],
  ];
  return path(curve([...points.slice(2, 15), ...inner.map(project)], true), {
    fill: rgb(mix(identity.hair.colour, BLACK, 0.2)),
    "fill-opacity": 0.66,
  });
}

function eyes(pen: Pen): string {
  return [36, 42].map((first, i) => eye(pen, pen.points.slice(first, first + 6), i)).join("");
}

function eye({ identity, project, unit, id }: Pen, lids: readonly Point[], index: number): string {
  const outline = curve(lids, true);
  const side = index === 0 ? -1 : 1;
  const [cx, cy] = project([side * identity.eyeSpacing, EYE_Y - 0.02, 0.62]);
  const clip = `${id}c${index}`;
  const radius = 0.115 * unit;
  const upper = curve(lids.slice(0, 4));
  const crease = lids.slice(0, 4).map(([x, y]): Point => [x, y - 0.06 * unit]);
  const dark = rgb(shade(mix(identity.skin, BLACK, 0.5), 0.3));
  return [
    `<clipPath id="${clip}">${path(outline, {})}</clipPath>`,
    path(outline, { fill: rgb([244, 242, 238]) }),
    `<g clip-path="url(#${clip})">`,
    tag("circle", { cx, cy, r: radius, fill: rgb(mix(identity.iris, BLACK, 0.35)) }),
    tag("circle", { cx, cy, r: 0.8 * radius, fill: rgb(identity.iris) }),
    tag("circle", { cx, cy, r: 0.45 * radius, fill: rgb(BLACK) }),
    tag("circle", { cx: cx - 0.35 * radius, cy: cy - 0.35 * radius, r: 0.2 * radius, fill: rgb(WHITE) }),
    path(upper, { fill: "none", stroke: rgb(BLACK), "stroke-opacity": 0.3, "stroke-width": 0.09 * unit }),
    "</g>",
    path(curve(crease), { fill: "none", stroke: dark, "stroke-opacity": 0.45, "stroke-width": 0.02 * unit }),
    path(upper, { fill: "none", stroke: rgb(BLACK), "stroke-width": 0.04 * unit, "stroke-linecap": "round" }),
    path(curve([lids[3]!, lids[4]!, lids[5]!, lids[0]!]), {
      fill: "none",
      stroke: dark,
      "stroke-opacity": 0.6,
      "stroke-width": 0.018 * unit,
    }),
  ].join("");
}

function brows({ identity, points, unit }: Pen): string {
  const colour = mix(identity.hair.colour, BLACK, 0.35);
  return [points.slice(17, 22), points.slice(22, 27).reverse()]
    .map((brow) => {
      const thick = identity.browThickness * unit;
      const under = brow.map(([x, y], k): Point => [x, y + thick * (0.25 + 0.75 * (k / 4))]);
      return path(curve([...brow, ...under.reverse()], true), { fill: rgb(colour), "fill-opacity": 0.92 });
    })
    .join("");
}

function nose({ identity, points, project, unit, id }: Pen): string {
  const { skin, noseWidth, noseLength } = identity;
  const base = points.slice(31, 36);
  const side: Point3[] = [
    [0.1, EYE_Y, 0.66],
    [0.09, 0.1, 0.8],
    [0.75 * noseWidth, noseLength - 0.03, 0.82],
    [noseWidth, noseBase(identity) - 0.03, 0.7],
  ];
  const flank = curve([...side.map(project), points[33]!, points[30]!, points[29]!, points[27]!], true);
  const [cx, cy] = project([-0.03, noseLength - 0.04, 1.02]);
  const nostrils = [-0.5, 0.5].map((across) => {
    const [x, y] = project([across * noseWidth, noseBase(identity) - 0.01, 0.85]);
    return tag("ellipse", {
      cx: x,
      cy: y,
      rx: 0.055 * unit,
      ry: 0.03 * unit,
      fill: rgb(shade(mix(skin, BLACK, 0.5), 0.4)),
    });
  });
  return [
    path(flank, { fill: rgb(shade(skin, 0.6)), "fill-opacity": 0.22 }),
    path(curve(base), {
      fill: "none",
      stroke: rgb(shade(skin, 0.7)),
      "stroke-width": 0.035 * unit,
      "stroke-opacity": 0.8,
      "stroke-linecap": "round",
    }),
    ...nostrils,
    tag("ellipse", { cx, cy, rx: 0.1 * unit, ry: 0.1 * unit, fill: `url(#${id}h)` }),
  ].join("");
}

function mouth({ identity: { lips }, points, expression, unit, id, project, identity }: Pen): string {
  const outer = curve(points.slice(48, 60), true);
  const inner = curve(points.slice(60, 68), true);
  const clip = `${id}m`;
  const topTeeth = points.slice(60, 65);
  const teeth = [
    ...topTeeth,
    ...[...topTeeth].reverse().map(([x, y]): Point => [x, y + Math.min(0.09, 0.5 * expression.mouthOpen) * unit]),
  ];
  const [cx, cy] = points[57]!;
  const [shadowX, shadowY] = project([
    0,
    noseBase(identity) + 0.36 * (identity.chin - noseBase(identity)) + 0.28 + expression.mouthOpen,
    0.75,
  ]);
  return [
    tag("ellipse", { cx: shadowX, cy: shadowY, rx: 0.24 * unit, ry: 0.07 * unit, fill: `url(#${id}e)` }),
    path(outer, { fill: rgb(lips) }),
    path(curve([points[48]!, ...points.slice(49, 54), points[54]!]), {
      fill: "none",
      stroke: rgb(mix(lips, BLACK, 0.35)),
      "stroke-opacity": 0.4,
      "stroke-width": 0.02 * unit,
    }),
    tag("ellipse", { cx, cy: cy - 0.06 * unit, rx: 0.15 * unit, ry: 0.04 * unit, fill: `url(#${id}h)` }),
    `<clipPath id="${clip}">${path(inner, {})}</clipPath>`,
    path(inner, { fill: rgb(mix(lips, BLACK, 0.75)) }),
    expression.mouthOpen > 0.06
      ? `<g clip-path="url(#${clip})">${path(curve(teeth, true), { fill: rgb([240, 236, 226]) })}</g>`
      : "",
    path(inner, { fill: "none", stroke: rgb(mix(lips, BLACK, 0.6)), "stroke-width": 0.02 * unit }),
  ].join("");
}

function glasses({ identity, project, unit }: Pen): string {
  if (identity.glasses === null) return "";
  const line = { fill: "none", stroke: rgb(identity.glasses), "stroke-width": 0.045 * unit };
  const lens = [-1, 1].map((side) => {
    const [cx, cy] = project([side * identity.eyeSpacing, EYE_Y + 0.03, 0.75]);
    return tag("ellipse", {
      cx,
      cy,
      rx: 0.31 * unit,
      ry: 0.25 * unit,
      ...line,
      fill: rgb(WHITE),
      "fill-opacity": 0.08,
    });
  });
  const bar = (points: Point3[]) => path(curve(points.map(project)), line);
  const edge = identity.eyeSpacing + 0.31;
  return [
    ...lens,
    bar([
      [-0.13, EYE_Y, 0.8],
      [0, EYE_Y - 0.04, 0.85],
      [0.13, EYE_Y, 0.8],
    ]),
    bar([
      [-edge, EYE_Y - 0.02, 0.72],
      [-1.0, EYE_Y - 0.02, 0.1],
    ]),
    bar([
      [edge, EYE_Y - 0.02, 0.72],
      [1.0, EYE_Y - 0.02, 0.1],
    ]),
  ].join("");
}

function boxRound(points: readonly Point[]): Box {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}
