import type { Random } from "../../random.ts";

/**
 * How a training image is varied (the published code's choices; the paper does not say). Plain data: drawn once, applied
 * to the image and to its landmarks alike.
 */
export interface Augmentation {
  /** Mirrored left to right. */
  readonly flip: boolean;
  /** About the image's centre, clockwise on the screen, degrees. */
  readonly degrees: number;
  /** The part that is then scaled to the whole, as shares of the side. */
  readonly crop: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
}

const WHOLE = { left: 0, top: 0, width: 1, height: 1 };
export const UNCHANGED: Augmentation = { flip: false, degrees: 0, crop: WHOLE };

/**
 * Nothing, a flip or a rotation by U(−45, 45)°, each with probability ⅓; then, with probability ½, a crop somewhere
 * inside of U(½, 1) of the area and an aspect (width / height) of ½ to 1½, uniform in its logarithm.
 */
export function drawAugmentation(random: Random): Augmentation {
  const kind = random.pick(["none", "flip", "rotation"] as const);
  const degrees = kind === "rotation" ? random.uniform(-45, 45) : 0;
  const crop = random.next() < 0.5 ? drawCrop(random) : WHOLE;
  return { flip: kind === "flip", degrees, crop };
}

function drawCrop(random: Random): Augmentation["crop"] {
  // Drawn again until it fits: most do at once, and after ten the whole image is taken.
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = random.uniform(0.5, 1);
    const aspect = Math.exp(random.uniform(Math.log(0.5), Math.log(1.5)));
    const [width, height] = [Math.sqrt(area * aspect), Math.sqrt(area / aspect)];
    if (width <= 1 && height <= 1)
      return { left: random.uniform(0, 1 - width), top: random.uniform(0, 1 - height), width, height };
  }
  return WHOLE;
}

/**
 * Varies `image`, RGB [side, side, 3], into `into`, another array of that length: one bilinear sampling whatever was
 * drawn; what comes from outside the image is black.
 */
export function augment(image: Uint8Array, side: number, augmentation: Augmentation, into: Uint8Array): void {
  const [a, b, c, d, e, f] = sourceOf(augmentation, side);
  const row = side * 3;
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++, at += 3) {
      // Pixel (x, y) is the square whose centre is (x + ½, y + ½).
      const fromX = a * (x + 0.5) + b * (y + 0.5) + c - 0.5;
      const fromY = d * (x + 0.5) + e * (y + 0.5) + f - 0.5;
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      if (left < -1 || top < -1 || left >= side || top >= side) {
        into[at] = into[at + 1] = into[at + 2] = 0;
        continue;
      }
      const [u, v] = [fromX - left, fromY - top];
      // Weights of the four pixels around; those outside count as black.
      const [l, r] = [left >= 0 ? 1 - u : 0, left + 1 < side ? u : 0];
      const [t, o] = [top >= 0 ? 1 - v : 0, top + 1 < side ? v : 0];
      const from = top * row + left * 3;
      for (let i = 0; i < 3; i++) {
        let sum = 0.5;
        if (t > 0) sum += t * ((l > 0 ? l * image[from + i]! : 0) + (r > 0 ? r * image[from + 3 + i]! : 0));
        if (o > 0) sum += o * ((l > 0 ? l * image[from + row + i]! : 0) + (r > 0 ? r * image[from + row + 3 + i]! : 0));
        into[at + i] = sum;
      }
    }
}

/**
 * Where the landmarks of an image go: [points, 2] x, y in pixels, the pixel (0, 0) having its centre at (½, ½). A flip also
 * exchanges left and right ones, so that landmark 36 is the same eye's corner of the face shown; of 68 points (iBUG) and
 * of the 49 inside the face.
 */
export function augmentLandmarks(landmarks: Float32Array, side: number, augmentation: Augmentation): Float32Array {
  const [a, b, c, d, e, f] = sourceOf(augmentation, side);
  const determinant = a * e - b * d;
  const mirror = augmentation.flip ? mirrorOf(landmarks.length / 2) : undefined;
  const moved = new Float32Array(landmarks.length);
  for (let i = 0; i < landmarks.length / 2; i++) {
    const from = (mirror?.[i] ?? i) * 2;
    const [x, y] = [landmarks[from]! - c, landmarks[from + 1]! - f];
    moved[i * 2] = (e * x - b * y) / determinant;
    moved[i * 2 + 1] = (a * y - d * x) / determinant;
  }
  return moved;
}

/** The affine map from a place in the result to its place in the image: x' = a·x + b·y + c, y' = d·x + e·y + f. */
function sourceOf(
  { flip, degrees, crop }: Augmentation,
  side: number,
): [number, number, number, number, number, number] {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const half = side / 2;
  const sign = flip ? -1 : 1;
  // First into the crop, relative to the centre; then rotated back; then mirrored.
  const [w, h] = [crop.width, crop.height];
  const [left, top] = [crop.left * side - half, crop.top * side - half];
  return [
    sign * cos * w,
    sign * sin * h,
    sign * (cos * left + sin * top) + half,
    -sin * w,
    cos * h,
    -sin * left + cos * top + half,
  ];
}

/** For each landmark the one that stands in its place in a mirrored face. */
export function mirrorOf(points: number): readonly number[] {
  if (points === 68) return MIRROR;
  // The 49 are the 68 without the jaw (0..16) and the inner corners of the mouth (60, 64).
  if (points === 49) return INSIDE.map((point) => INSIDE.indexOf(MIRROR[point]!));
  throw new RangeError(`Faces of ${points} landmarks cannot be mirrored; 68 and 49 are known.`);
}

/** iBUG's 68 points: runs that mirror into each other, or into themselves, back to front. */
const RUNS: readonly (readonly [from: readonly number[], to: readonly number[]])[] = [
  [range(0, 16), range(16, 0)],
  [range(17, 21), range(26, 22)],
  [range(27, 30), range(27, 30)],
  [range(31, 35), range(35, 31)],
  [range(36, 39), range(45, 42)],
  [range(40, 41), range(47, 46)],
  [range(48, 54), range(54, 48)],
  [range(55, 59), range(59, 55)],
  [range(60, 64), range(64, 60)],
  [range(65, 67), range(67, 65)],
];

function range(first: number, last: number): number[] {
  const step = first <= last ? 1 : -1;
  return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => first + i * step);
}

const MIRROR: readonly number[] = (() => {
  const mirror = new Array<number>(68);
  for (const [from, to] of RUNS)
    from.forEach((point, i) => {
      mirror[point] = to[i]!;
      mirror[to[i]!] = point;
    });
  return mirror;
})();
const INSIDE = range(17, 67).filter((point) => point !== 60 && point !== 64);
