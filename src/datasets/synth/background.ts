import { type Random, seeded } from "../../random.ts";
import { type Colour, mix } from "./identity.ts";
import { gradient, rgb, tag } from "./svg.ts";

/** What stands behind the people of one shot, drawn over width × height pixels: a wall, lights, shelves or a landscape. */
export function drawBackground(seed: number | string, width: number, height: number): string {
  const random = seeded(seed).fork("background");
  const wall: Colour = [random.uniform(60, 210), random.uniform(70, 210), random.uniform(80, 220)];
  const props = random.pick([lights, shelves, landscape, panels]);
  return [
    gradient("linearGradient", "wall", { x1: 0, y1: 0, x2: random.uniform(0, 0.6), y2: 1 }, [
      [0, mix(wall, [255, 255, 255], 0.3)],
      [1, mix(wall, [10, 10, 20], 0.45)],
    ]),
    tag("rect", { x: 0, y: 0, width, height, fill: "url(#wall)" }),
    props(random, wall, width, height),
  ].join("");
}

type Props = (random: Random, wall: Colour, width: number, height: number) => string;

const times = (n: number, make: (i: number) => string) => Array.from({ length: n }, (_, i) => make(i)).join("");

const lights: Props = (random, wall, width, height) =>
  times(14, () =>
    tag("circle", {
      cx: random.uniform(0, width),
      cy: random.uniform(0, height),
      r: random.uniform(0.02, 0.09) * width,
      fill: rgb(mix(wall, [255, 240, 190], random.uniform(0.4, 0.9))),
      "fill-opacity": random.uniform(0.15, 0.4),
    }),
  );

const shelves: Props = (random, wall, width, height) =>
  times(4, (row) => {
    const bottom = ((row + 1) * height) / 4;
    let x = 0;
    let books = "";
    while (x < width) {
      const thick = random.uniform(0.015, 0.045) * width;
      const tall = random.uniform(0.1, 0.19) * height;
      const colour: Colour = [random.uniform(40, 200), random.uniform(40, 170), random.uniform(40, 170)];
      books += tag("rect", { x, y: bottom - tall, width: thick, height: tall, fill: rgb(mix(colour, wall, 0.4)) });
      x += thick * random.uniform(1, 1.6);
    }
    return books + tag("rect", { x: 0, y: bottom - 3, width, height: 5, fill: rgb(mix(wall, [60, 36, 20], 0.6)) });
  });

const landscape: Props = (random, wall, width, height) =>
  times(3, (layer) => {
    const y = height * (0.5 + 0.16 * layer);
    const green = mix(wall, [40, 90, 50], 0.3 + 0.25 * layer);
    return times(4, () =>
      tag("ellipse", {
        cx: random.uniform(0, width),
        cy: y + 0.25 * height,
        rx: random.uniform(0.25, 0.5) * width,
        ry: random.uniform(0.25, 0.4) * height,
        fill: rgb(green),
      }),
    );
  });

const panels: Props = (random, wall, width, height) =>
  times(3, (i) => {
    const frame = {
      x: width * (0.04 + 0.34 * i),
      y: height * random.uniform(0.06, 0.16),
      width: width * 0.24,
      height: height * 0.4,
    };
    const picture = mix(wall, [random.uniform(0, 255), random.uniform(0, 255), random.uniform(0, 255)], 0.5);
    return tag("rect", { ...frame, fill: rgb(picture), stroke: rgb(mix(wall, [40, 24, 14], 0.6)), "stroke-width": 4 });
  });
