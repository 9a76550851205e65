import type { Experiment, ModelName, Role } from "./experiment.ts";

/** A colour as figures name it: a CSS variable that pages set for light and dark, and files get the light one of. */
export type Colour = `var(--${string})`;

/** The page's own. */
export const INK: Colour = "var(--text)";
export const SOFT: Colour = "var(--soft)";
export const GRID: Colour = "var(--line)";
/** What others have printed. */
export const PAPER: Colour = "var(--paper)";
export const HEAT: Colour = "var(--heat)";

/** How a model looks in every figure of a report: the family's hue, and of it a shade and a dash for each n. */
export interface Look {
  readonly colour: Colour;
  /** Lengths of strokes and gaps; none: a whole line. */
  readonly dash: readonly number[];
}

export interface Palette {
  /** Of one model. */
  of(model: ModelName): Look;
  /** Of a family as a whole. */
  family(family: string): Look;
}

/**
 * The looks of an experiment's models. Models get green, blue, orange (the papers' three systems, in their order), controls
 * purple, olive, rose and brown, baselines and oracles slate. The first ones are after Okabe and Ito, whom people with any
 * colour blindness can follow; where more lines meet, dashes and the shapes of points help.
 */
export function paletteOf({ models, paper, traces, correlations, curves }: Experiment): Palette {
  const named: readonly (ModelName & { readonly role?: Role })[] = [
    ...models,
    ...traces.flatMap(({ series, attention }) => [...series, ...attention]),
    ...correlations,
    ...curves,
    ...paper,
  ];
  const families = new Map<string, { readonly hue: Hue; readonly lengths: Set<number> }>();
  const used = { model: 0, control: 0, baseline: 0, oracle: 0 };
  for (const { family, n, role = "model" } of named) {
    let known = families.get(family);
    if (known === undefined) {
      const hues = HUES_OF[role];
      known = { hue: hues[used[role]++ % hues.length]!, lengths: new Set() };
      families.set(family, known);
    }
    if (n !== null) known.lengths.add(n);
  }
  const look = (family: string, shade: number): Look => ({
    colour: `var(--${families.get(family)?.hue ?? "slate"}-${shade})`,
    dash: DASHES[shade]!,
  });
  return {
    family: (family) => look(family, BASE),
    of: ({ family, n }) => {
      const lengths = [...(families.get(family)?.lengths ?? [])].sort((a, b) => a - b);
      return look(family, n === null ? BASE : shadeOf(lengths.indexOf(n), lengths.length));
    },
  };
}

/** Of the middle shade, and of a family as a whole. */
const BASE = 2;

/** n's are spread over the five shades around the middle one: one n has the middle, five have all. */
function shadeOf(rank: number, count: number): number {
  const shade = BASE + rank - Math.floor((count - 1) / 2);
  return Math.max(0, Math.min(DASHES.length - 1, shade));
}

const DASHES: readonly (readonly number[])[] = [[1.5, 2], [5, 2.5], [], [9, 2, 2, 2], [12, 3]];

const HUES = ["green", "blue", "orange", "purple", "olive", "rose", "brown", "slate"] as const;
type Hue = (typeof HUES)[number];

const HUES_OF: Record<Role, readonly Hue[]> = {
  model: ["green", "blue", "orange", "purple", "olive"],
  control: ["purple", "olive", "rose", "brown"],
  baseline: ["slate"],
  oracle: ["slate"],
};

/** What figures' variables are on a light ground: five shades of each hue, from the shortest n to the longest. */
export const LIGHT: Readonly<Record<string, string>> = {
  paper: "#8f8f8f",
  heat: "#b5340a",
  ...shades("green", ["#5cbf9c", "#2ba37c", "#00805b", "#00684a", "#0c5040"]),
  ...shades("blue", ["#6cb2dd", "#3a90c8", "#0069a8", "#0b4fa0", "#123a8c"]),
  ...shades("orange", ["#eba35f", "#e28030", "#cc5a00", "#a83e06", "#8c2a10"]),
  ...shades("purple", ["#d79cc3", "#c574a7", "#a24f85", "#843a72", "#6c2a66"]),
  ...shades("olive", ["#c4b13c", "#a8951d", "#857500", "#6b5e00", "#574b00"]),
  ...shades("rose", ["#e58aa8", "#d45c86", "#b8275f", "#94194a", "#7a1040"]),
  ...shades("brown", ["#b99878", "#9d7550", "#7a5230", "#5f3d20", "#4c2f16"]),
  ...shades("slate", ["#98a3b3", "#7a879a", "#5a677b", "#47556b", "#3a465c"]),
};

/** The same on a dark ground, where hues drift rather than fade, so that no line comes near the labels' white. */
export const DARK: Readonly<Record<string, string>> = {
  paper: "#9c9c9c",
  heat: "#ff9a5c",
  ...shades("green", ["#23805f", "#2ca37b", "#43c79c", "#86d964", "#b5de5a"]),
  ...shades("blue", ["#2d79ad", "#419bd3", "#62b8ec", "#6f96ff", "#9c9cff"]),
  ...shades("orange", ["#b8611c", "#dd8033", "#f79d52", "#ff8058", "#ff9c92"]),
  ...shades("purple", ["#9d5585", "#bf74a5", "#da98c2", "#cf8ff0", "#b9a0ff"]),
  ...shades("olive", ["#8c7c1d", "#b09d2f", "#d3be4a", "#e6d233", "#f0e27a"]),
  ...shades("rose", ["#a8325e", "#cf5a84", "#ff86ad", "#ffa9c4", "#ffc2d6"]),
  ...shades("brown", ["#8a6540", "#a98258", "#cba57b", "#dabb98", "#e6d0b5"]),
  ...shades("slate", ["#67758a", "#8592a6", "#a7b3c4", "#9fb6dc", "#93b8ee"]),
};

function shades(hue: Hue, five: readonly string[]): Record<string, string> {
  return Object.fromEntries(five.map((colour, i) => [`${hue}-${i}`, colour]));
}
