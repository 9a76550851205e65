import type { Colour } from "./identity.ts";
import type { Point } from "./shape.ts";

/** A smooth line through the points: Catmull–Rom as cubic Béziers, so what is drawn passes through what is labelled. */
export function curve(points: readonly Point[], closed = false): string {
  const n = points.length;
  const at = (i: number): Point => points[closed ? (i + n) % n : Math.min(n - 1, Math.max(0, i))]!;
  let path = `M${pair(at(0))}`;
  for (let i = 0; i < (closed ? n : n - 1); i++) {
    const [before, from, to, after] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const first: Point = [from[0] + (to[0] - before[0]) / 6, from[1] + (to[1] - before[1]) / 6];
    const second: Point = [to[0] - (after[0] - from[0]) / 6, to[1] - (after[1] - from[1]) / 6];
    path += `C${pair(first)} ${pair(second)} ${pair(to)}`;
  }
  return closed ? `${path}Z` : path;
}

/** An SVG element that is empty; numbers are written with two decimals, so equal scenes give equal text. */
export function tag(name: string, attributes: Readonly<Record<string, string | number>>): string {
  const text = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? num(value) : value}"`,
  );
  return `<${name}${text.join("")}/>`;
}

export const path = (d: string, attributes: Readonly<Record<string, string | number>>): string =>
  tag("path", { d, ...attributes });

/** A gradient from `from` to `to`; each stop is [offset 0..1, colour, opacity]. */
export function gradient(
  kind: "linearGradient" | "radialGradient",
  id: string,
  attributes: Readonly<Record<string, string | number>>,
  stops: readonly (readonly [offset: number, colour: Colour, opacity?: number])[],
): string {
  const open = tag(kind, { id, ...attributes }).replace("/>", ">");
  const inside = stops.map(([offset, colour, opacity = 1]) =>
    tag("stop", { offset, "stop-color": rgb(colour), ...(opacity < 1 && { "stop-opacity": opacity }) }),
  );
  return `${open}${inside.join("")}</${kind}>`;
}

export const rgb = (colour: Colour): string => `rgb(${colour.map(Math.round).join(",")})`;

export const pair = ([x, y]: Point): string => `${num(x)} ${num(y)}`;

function num(value: number): string {
  return String(Math.round(value * 100) / 100 || 0);
}
