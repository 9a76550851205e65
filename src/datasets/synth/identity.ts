import { type Random, seeded } from "../../random.ts";

export const HAIR_STYLES = ["short", "parted", "fringe", "curly", "long", "bun"] as const;
export type HairStyle = "bald" | (typeof HAIR_STYLES)[number];

/** What stays the same while one person moves. Lengths are in face units: half the width of the face at the cheekbones. */
export interface Identity {
  readonly name: string;
  /** Height of the chin below the face's origin, which lies between the eyes and the tip of the nose. */
  readonly chin: number;
  /** Width of the jaw relative to the cheekbones. */
  readonly jaw: number;
  readonly eyeSpacing: number;
  readonly eyeWidth: number;
  readonly noseWidth: number;
  readonly noseLength: number;
  readonly lipFullness: number;
  readonly browThickness: number;
  readonly skin: Colour;
  readonly lips: Colour;
  readonly iris: Colour;
  readonly hair: { readonly style: HairStyle; readonly colour: Colour };
  readonly beard: boolean;
  /** Rim colour, or null for none. */
  readonly glasses: Colour | null;
  readonly shirt: Colour;
}

/** sRGB, each 0..255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** The person of a seed. */
export function identityOf(seed: number | string): Identity {
  const random = seeded(seed).fork("identity");
  const skin = vary(random, random.pick(SKINS), 8);
  const style = random.next() < 0.1 ? "bald" : random.pick(HAIR_STYLES);
  return {
    name: String(seed),
    chin: random.uniform(1.16, 1.34),
    jaw: random.uniform(0.78, 0.94),
    eyeSpacing: random.uniform(0.4, 0.46),
    eyeWidth: random.uniform(0.19, 0.225),
    noseWidth: random.uniform(0.17, 0.24),
    noseLength: random.uniform(0.3, 0.4),
    lipFullness: random.uniform(0.075, 0.12),
    browThickness: random.uniform(0.07, 0.12),
    skin,
    lips: mix(skin, random.pick(LIPS), random.uniform(0.4, 0.65)),
    iris: random.pick(IRISES),
    hair: { style, colour: vary(random, random.pick(HAIRS), 6) },
    beard: random.next() < (style === "long" || style === "bun" ? 0 : 0.3),
    glasses: random.next() < 0.3 ? random.pick(RIMS) : null,
    shirt: [random.uniform(30, 220), random.uniform(30, 220), random.uniform(30, 220)],
  };
}

/** A share of the way from one colour to another. */
export function mix(from: Colour, to: Colour, share: number): Colour {
  const at = (i: 0 | 1 | 2) => from[i] + (to[i] - from[i]) * share;
  return [at(0), at(1), at(2)];
}

type Palette = readonly [Colour, ...Colour[]];

const SKINS: Palette = [
  [246, 214, 190],
  [233, 190, 160],
  [218, 168, 132],
  [191, 138, 102],
  [156, 106, 76],
  [122, 82, 60],
];
const HAIRS: Palette = [
  [28, 24, 24],
  [58, 40, 30],
  [96, 64, 42],
  [150, 104, 58],
  [206, 168, 102],
  [140, 60, 34],
  [150, 150, 152],
];
const IRISES: Palette = [
  [72, 46, 28],
  [96, 66, 38],
  [70, 104, 76],
  [84, 122, 158],
  [104, 112, 118],
];
const LIPS: Palette = [
  [176, 60, 66],
  [190, 84, 84],
  [132, 46, 52],
];
const RIMS: Palette = [
  [30, 30, 34],
  [96, 52, 30],
  [70, 80, 110],
];

function vary(random: Random, colour: Colour, spread: number): Colour {
  const at = (i: 0 | 1 | 2) => Math.min(255, Math.max(0, colour[i] + random.uniform(-spread, spread)));
  return [at(0), at(1), at(2)];
}
