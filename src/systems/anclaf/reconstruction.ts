import { seeded } from "../../random.ts";
import { DISTORTION_KINDS, type DistortionKind, distort, drawOf } from "./distortions.ts";

/** How well G cleans faces that were distorted in one way. */
export interface ReconstructionScore {
  readonly kind: DistortionKind | "none";
  readonly faces: number;
  /** Peak signal-to-noise ratio of the distorted face to the clean one, dB, of the mean squared error; ∞ for `none`. */
  readonly distorted: number;
  /** The same of what G makes of the distorted face. */
  readonly reconstructed: number;
}

/** Faces by index: uint8 RGB [indices.length, side, side, 3]; a face store. */
export interface ReadableFaces {
  readonly side: number;
  read(indices: ArrayLike<number>, into: Uint8Array): Promise<void>;
}

export interface ReconstructionOptions {
  /** The faces to look at, of the test fold. */
  readonly indices: ArrayLike<number>;
  readonly seed: number;
  /** Faces in memory at a time. Default 64. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

/**
 * Distorts every face in each way, at a level drawn by (seed, kind, face), and measures what G makes of it; and of the
 * clean face.
 *
 * @param reconstruct G(I), −1..1, of pixels [n, side, side, 3]: a predictor that keeps the reconstruction. Where it is
 * smaller than the faces, they are averaged down to it before they are compared.
 */
export async function reconstructionScores(
  faces: ReadableFaces,
  reconstruct: (pixels: Uint8Array) => Promise<Float32Array>,
  { indices, seed, batch = 64, signal }: ReconstructionOptions,
): Promise<ReconstructionScore[]> {
  const { side } = faces;
  const size = side ** 2 * 3;
  const sums = new Map(
    ["none" as const, ...DISTORTION_KINDS].map((kind) => [kind, { distorted: 0, reconstructed: 0 }]),
  );
  const root = seeded(seed);
  let values = 0;
  for (let from = 0; from < indices.length; from += batch) {
    const some = Array.from({ length: Math.min(batch, indices.length - from) }, (_, i) => indices[from + i]!);
    const clean = new Uint8Array(some.length * size);
    await faces.read(some, clean);
    for (const [kind, sum] of sums) {
      signal?.throwIfAborted();
      const given = clean.slice();
      const random = root.fork(kind);
      if (kind !== "none")
        some.forEach((index, i) => {
          const own = (pixels: Uint8Array) => pixels.subarray(i * size, (i + 1) * size);
          distort(own(clean), side, drawOf(kind, random.fork(`${index}`)), own(given));
        });
      const made = await reconstruct(given);
      const times = Math.sqrt((some.length * size) / made.length);
      const [truth, seen] = [averaged(clean, side, times), averaged(given, side, times)];
      for (let i = 0; i < made.length; i++) {
        sum.distorted += (seen[i]! - truth[i]!) ** 2;
        sum.reconstructed += ((made[i]! + 1) * 127.5 - truth[i]!) ** 2;
      }
      if (kind === "none") values += made.length;
    }
  }
  const psnr = (squares: number) => 10 * Math.log10(255 ** 2 / (squares / values));
  return Array.from(sums, ([kind, { distorted, reconstructed }]) => ({
    kind,
    faces: indices.length,
    distorted: psnr(distorted),
    reconstructed: psnr(reconstructed),
  }));
}

/** Blocks of `times` × `times` pixels as their means. */
function averaged(pixels: Uint8Array, side: number, times: number): ArrayLike<number> {
  if (times === 1) return pixels;
  const to = side / times;
  const means = new Float64Array(pixels.length / times ** 2);
  for (let i = 0; i < pixels.length; i++) {
    const [pixel, channel] = [Math.floor(i / 3), i % 3];
    const [row, column] = [Math.floor(pixel / side), pixel % side];
    // Rows go on from face to face, and a face's side is a multiple of the block's.
    means[(Math.floor(row / times) * to + Math.floor(column / times)) * 3 + channel]! += pixels[i]! / times ** 2;
  }
  return means;
}
