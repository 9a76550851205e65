import { type Random, seeded } from "../../random.ts";

/**
 * What is done to a clean image before G is to clean it (ANCLaF §3.1 names six kinds; kinds, levels and probabilities
 * are the published code's). Plain data: drawn once, applied anywhere.
 */
export type Distortion =
  | { readonly kind: "none" }
  /** Halved so many times, each pixel the mean of the 4^halvings it stands for; doubled back bilinearly. */
  | { readonly kind: "downsample"; readonly halvings: number }
  /** Gaussian of this standard deviation, pixels; the border goes on outside. */
  | { readonly kind: "blur"; readonly radius: number }
  /** Gaussian of this variance, on a scale of 0..1, for every pixel's every channel; clipped to 0..255. */
  | { readonly kind: "noise"; readonly variance: number; readonly seed: number }
  /** Times this factor, clipped. */
  | { readonly kind: "brightness"; readonly factor: number }
  /** Luma of Rec. 601 in all three channels. */
  | { readonly kind: "grayscale" }
  /** White rectangles of 9×5 pixels (width × height), one every 18×10 from the upper left: 25.8 % of 128×128. */
  | { readonly kind: "occlusion" };

export type DistortionKind = Exclude<Distortion["kind"], "none">;
export const DISTORTION_KINDS = ["downsample", "blur", "noise", "brightness", "grayscale", "occlusion"] as const;

/** Levels of each kind, from the mildest; a kind without levels counts as having three alike. */
export const LEVELS = {
  downsample: [1, 2, 3],
  blur: [1, 3, 5],
  noise: [0.001, 0.005, 0.01],
  brightness: [0.75, 1.25, 1.5],
} as const;

/** None with probability ½, otherwise one of the six kinds and then one of its levels, each as likely. */
export function drawDistortion(random: Random): Distortion {
  if (random.next() < 0.5) return { kind: "none" };
  return drawOf(random.pick(DISTORTION_KINDS), random);
}

/** One of the kind's levels, each as likely. */
export function drawOf(kind: DistortionKind, random: Random): Distortion {
  switch (kind) {
    case "downsample":
      return { kind, halvings: random.pick(LEVELS.downsample) };
    case "blur":
      return { kind, radius: random.pick(LEVELS.blur) };
    case "noise":
      return { kind, variance: random.pick(LEVELS.noise), seed: Math.floor(random.next() * 2 ** 32) };
    case "brightness":
      return { kind, factor: random.pick(LEVELS.brightness) };
    default:
      return { kind };
  }
}

/**
 * Distorts `image`, RGB [side, side, 3], into `into`, another array of that length. Equal arguments give equal bytes.
 * A side that a `downsample` cannot halve evenly throws a RangeError.
 */
export function distort(image: Uint8Array, side: number, distortion: Distortion, into: Uint8Array): void {
  APPLY[distortion.kind](image, side, distortion as never, into);
}

type Apply<Kind> = (
  image: Uint8Array,
  side: number,
  distortion: Extract<Distortion, { kind: Kind }>,
  into: Uint8Array,
) => void;

const APPLY: { readonly [Kind in Distortion["kind"]]: Apply<Kind> } = {
  none: (image, _, __, into) => into.set(image),
  downsample: (image, side, { halvings }, into) => downsample(image, side, 2 ** halvings, into),
  blur: (image, side, { radius }, into) => blur(image, side, radius, into),
  noise: (image, _, { variance, seed }, into) => noise(image, variance, seed, into),
  brightness(image, _, { factor }, into) {
    for (let i = 0; i < image.length; i++) into[i] = clipped(image[i]! * factor);
  },
  grayscale(image, _, __, into) {
    for (let i = 0; i < image.length; i += 3)
      into[i] = into[i + 1] = into[i + 2] = luma(image[i]!, image[i + 1]!, image[i + 2]!);
  },
  occlusion: (image, side, _, into) => occlude(image, side, into),
};

function downsample(image: Uint8Array, side: number, factor: number, into: Uint8Array): void {
  const small = side / factor;
  if (!Number.isInteger(small))
    throw new RangeError(`An image ${side} pixels wide cannot be made ${factor} × smaller.`);
  const means = new Float32Array(small * small * 3);
  for (let y = 0, i = 0; y < side; y++)
    for (let x = 0; x < side; x++, i += 3) {
      const at = (Math.floor(y / factor) * small + Math.floor(x / factor)) * 3;
      for (let c = 0; c < 3; c++) means[at + c]! += image[i + c]!;
    }
  // As bytes, since a smaller image is what is being imitated.
  for (let i = 0; i < means.length; i++) means[i] = clipped(means[i]! / (factor * factor));
  const near = new Int32Array(side);
  const share = new Float32Array(side);
  for (let x = 0; x < side; x++) {
    const at = Math.min(small - 1, Math.max(0, (x + 0.5) / factor - 0.5));
    near[x] = Math.min(small - 2, Math.floor(at));
    share[x] = at - near[x]!;
  }
  for (let y = 0, i = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const at = (near[y]! * small + near[x]!) * 3;
      for (let c = at; c < at + 3; c++, i++) {
        const above = means[c]! + (means[c + 3]! - means[c]!) * share[x]!;
        const below = means[c + small * 3]! + (means[c + small * 3 + 3]! - means[c + small * 3]!) * share[x]!;
        into[i] = clipped(above + (below - above) * share[y]!);
      }
    }
}

function blur(image: Uint8Array, side: number, radius: number, into: Uint8Array): void {
  // Beyond three deviations lies 0.3 % of a Gaussian.
  const reach = Math.ceil(3 * radius);
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * radius ** 2)),
  );
  const sum = kernel.reduce((total, x) => total + x, 0);
  const row = side * 3;
  const between = new Float32Array(image.length);
  // Down the columns, then along the rows: each time whole rows are added, which reads memory in order.
  for (let y = 0; y < side; y++)
    for (let k = -reach; k <= reach; k++) {
      const from = Math.min(side - 1, Math.max(0, y + k)) * row;
      const share = kernel[k + reach]! / sum;
      for (let i = 0; i < row; i++) between[y * row + i]! += share * image[from + i]!;
    }
  const padded = new Float32Array(row + reach * 6);
  const line = new Float32Array(row);
  for (let y = 0; y < side; y++) {
    padded.set(between.subarray(y * row, (y + 1) * row), reach * 3);
    for (let i = 0; i < reach * 3; i++) {
      padded[i] = between[y * row + (i % 3)]!;
      padded[reach * 3 + row + i] = between[(y + 1) * row - 3 + (i % 3)]!;
    }
    line.fill(0);
    for (let k = 0; k <= 2 * reach; k++) {
      const share = kernel[k]! / sum;
      for (let i = 0; i < row; i++) line[i]! += share * padded[i + k * 3]!;
    }
    for (let i = 0; i < row; i++) into[y * row + i] = clipped(line[i]!);
  }
}

function noise(image: Uint8Array, variance: number, seed: number, into: Uint8Array): void {
  const random = seeded(seed);
  const deviation = 255 * Math.sqrt(variance);
  for (let i = 0; i < image.length; i++) into[i] = clipped(image[i]! + deviation * random.normal());
}

function occlude(image: Uint8Array, side: number, into: Uint8Array): void {
  into.set(image);
  for (let y = 0; y < side; y++) {
    if (y % 10 >= 5) continue;
    for (let x = 0; x < side; x += 18) {
      const from = (y * side + x) * 3;
      into.fill(255, from, from + Math.min(9, side - x) * 3);
    }
  }
}

const luma = (r: number, g: number, b: number): number => clipped(0.299 * r + 0.587 * g + 0.114 * b);

/** To the nearest byte. */
const clipped = (x: number): number => (x <= 0 ? 0 : x >= 255 ? 255 : Math.floor(x + 0.5));
