import type { Random } from "../../random.ts";
import type { Image } from "../../records.ts";
import type { Colour } from "./identity.ts";
import { wander } from "./motion.ts";

/** How a scene is lit: pixels are multiplied by level × colour × (1 + slope along the direction), cut at 255. */
export interface Light {
  /** About 1. */
  readonly level: number;
  /** Of red, green, blue, each about 1. */
  readonly colour: Colour;
  /** Radians: where the light comes from, 0 right, clockwise. */
  readonly direction: number;
  /** How much brighter the lit edge is than the middle, as a share. */
  readonly slope: number;
  /** How much the level wavers, as a share. */
  readonly flicker: number;
}

export function lightOf(random: Random): Light {
  const warmth = random.uniform(-0.14, 0.14);
  return {
    level: random.uniform(0.62, 1.15),
    colour: [1 + warmth, 1 + 0.15 * warmth * random.uniform(-1, 1), 1 - warmth],
    direction: random.uniform(-Math.PI, Math.PI),
    slope: random.uniform(0, 0.4),
    flicker: random.uniform(0, 0.05),
  };
}

/** Lays drawn RGBA pixels over a wall of the same size, lights both, and gives the picture of one frame. */
export type Shoot = (drawn: Uint8Array, wall: Uint8Array, seconds: number) => Image;

export function camera(light: Light, random: Random, width: number, height: number): Shoot {
  const waver = wander(random, 0.7);
  const gain = new Float32Array(width * height);
  const [along, down] = [Math.cos(light.direction), Math.sin(light.direction)];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      gain[i] = 1 + 2 * light.slope * (along * (x / width - 0.5) + down * (y / height - 0.5));
  return (drawn, wall, seconds) => {
    const level = light.level * (1 + light.flicker * waver(seconds));
    const data = new Uint8ClampedArray(3 * width * height);
    const [red, green, blue] = light.colour.map((share) => share * level) as [number, number, number];
    for (let i = 0, from = 0, to = 0; i < gain.length; i++, from += 4, to += 3) {
      const cover = drawn[from + 3]! / 255;
      const open = 1 - cover;
      const bright = gain[i]!;
      data[to] = bright * red * (drawn[from]! * cover + wall[to]! * open);
      data[to + 1] = bright * green * (drawn[from + 1]! * cover + wall[to + 1]! * open);
      data[to + 2] = bright * blue * (drawn[from + 2]! * cover + wall[to + 2]! * open);
    }
    return { width, height, data: new Uint8Array(data.buffer) };
  };
}
