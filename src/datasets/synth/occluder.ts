import type { Random } from "../../random.ts";
import { type Colour, type Identity, mix } from "./identity.ts";
import { through } from "./motion.ts";
import type { Placement, Point } from "./shape.ts";
import { rgb, tag } from "./svg.ts";

/** Something that passes in front of a face. */
export interface Occluder {
  readonly name: OccluderName;
  /** What it covers at a time in seconds; null while it is not there. */
  at(seconds: number, placement: Placement): Cover | null;
}

/** Thick lines with round ends, in pixels of the frame; drawn as SVG elements they are exactly what they cover. */
export interface Cover {
  readonly svg: string;
  covers(x: number, y: number): boolean;
}

export const OCCLUDERS = ["hand", "microphone", "phone", "strand"] as const;
export type OccluderName = (typeof OCCLUDERS)[number];

/** The things that pass over one clip's face, one after another, or none. Their skin is the person's own. */
export function occludersOf(random: Random, identity: Identity, seconds: number): Occluder[] {
  const occluders: Occluder[] = [];
  for (let start = random.uniform(-0.5, 1.5); start < seconds; ) {
    const length = random.uniform(0.5, 1.6);
    occluders.push(occluder(random.fork(String(occluders.length)), identity, start, length));
    start += length + random.uniform(0.6, 3);
  }
  return occluders;
}

/** A line from one point to another, face units from the face's origin, x right and y down. */
interface Bar {
  readonly from: Point;
  readonly to: Point;
  readonly thick: number;
  readonly colour: Colour;
}

function occluder(random: Random, identity: Identity, start: number, length: number): Occluder {
  const drawn = random.pick(OCCLUDERS);
  // Who has no hair has no strand of it.
  const name = drawn === "strand" && identity.hair.style === "bald" ? "hand" : drawn;
  const { bars, away } = SHAPES[name](random, identity);
  // There and back: away from the face at both ends.
  const near = through([
    { at: start, value: 0 },
    { at: start + 0.35 * length, value: 1 },
    { at: start + 0.65 * length, value: 1 },
    { at: start + length, value: 0 },
  ]);
  return {
    name,
    at(seconds, { x, y, width }) {
      if (seconds <= start || seconds >= start + length) return null;
      const unit = width / 2;
      const off = 1 - near(seconds);
      const place = ([px, py]: Point): Point => [x + unit * (px + off * away[0]), y + unit * (py + off * away[1])];
      const lines = bars.map((bar) => ({
        ...bar,
        from: place(bar.from),
        to: place(bar.to),
        thick: bar.thick * unit,
      }));
      return {
        svg: lines.map(draw).join(""),
        covers: (px, py) => lines.some(({ from, to, thick }) => distance([px, py], from, to) <= thick / 2),
      };
    },
  };
}

type Shape = (random: Random, identity: Identity) => { bars: Bar[]; away: Point };

const SHAPES: Readonly<Record<OccluderName, Shape>> = {
  hand(random, { skin }) {
    const side = random.pick([-1, 1]);
    const [x, y] = [side * random.uniform(0.05, 0.5), random.uniform(0.55, 0.95)];
    const colour = mix(skin, [70, 26, 14], 0.12);
    const fingers = [-1.5, -0.5, 0.5, 1.5].map((k): Bar => {
      const base: Point = [x + 0.2 * k, y];
      const to: Point = [x + 0.24 * k - 0.2 * side, y - 0.55 + 0.06 * Math.abs(k)];
      return { from: base, to, thick: 0.19, colour: mix(colour, [70, 26, 14], 0.08 * (k + 1.5)) };
    });
    const palm: Bar = { from: [x, y + 0.3], to: [x + 0.4 * side, y + 1.6], thick: 0.85, colour };
    return { bars: [palm, ...fingers], away: [1.2 * side, 2.6] };
  },
  microphone(random) {
    const side = random.pick([-1, 1]);
    const tip: Point = [side * random.uniform(0, 0.25), random.uniform(0.75, 1)];
    return {
      bars: [
        { from: tip, to: [tip[0] + 0.7 * side, tip[1] + 1.8], thick: 0.24, colour: [34, 34, 38] },
        { from: tip, to: tip, thick: 0.56, colour: [78, 78, 84] },
        {
          from: [tip[0] - 0.06, tip[1] - 0.06],
          to: [tip[0] - 0.06, tip[1] - 0.06],
          thick: 0.28,
          colour: [112, 112, 118],
        },
      ],
      away: [0.9 * side, 2.2],
    };
  },
  phone(random) {
    const side = random.pick([-1, 1]);
    const [x, y] = [side * random.uniform(0.45, 0.85), random.uniform(-0.5, 0.3)];
    return {
      bars: [
        { from: [x, y - 0.35], to: [x + 0.1 * side, y + 0.55], thick: 0.62, colour: [24, 26, 32] },
        { from: [x, y - 0.3], to: [x + 0.09 * side, y + 0.5], thick: 0.46, colour: [52, 66, 88] },
      ],
      away: [2.4 * side, 0.8],
    };
  },
  strand(random, { hair }) {
    const side = random.pick([-1, 1]);
    const [top, sway] = [side * random.uniform(0.1, 0.4), side * random.uniform(0.15, 0.45)];
    const points = [-1.05, -0.7, -0.35, 0, 0.35].map((y, k): Point => [top + sway * (k / 4) ** 1.5, y]);
    return {
      bars: points.slice(1).map((to, k): Bar => {
        const colour = mix(hair.colour, [255, 250, 240], 0.04 * k);
        return { from: points[k]!, to, thick: 0.2 - 0.03 * k, colour };
      }),
      away: [0.9 * side, -0.5],
    };
  },
};

function draw({ from: [x1, y1], to: [x2, y2], thick, colour }: Bar): string {
  return tag("line", { x1, y1, x2, y2, stroke: rgb(colour), "stroke-width": thick, "stroke-linecap": "round" });
}

/** From a point to a line that ends. */
function distance([x, y]: Point, [x1, y1]: Point, [x2, y2]: Point): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / length));
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
