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
 * @param reconstruct G(I), −1..1, of pixels [n, side, side, 3]: a predictor that keeps the reconstruction
 */
export async function reconstructionScores(
  faces: ReadableFaces,
  reconstruct: (pixels: Uint8Array) => Promise<Float32Array>,
  { indices, seed, batch = 64, signal }: ReconstructionOptions,
): Promise<ReconstructionScore[]> {
  const size = faces.side ** 2 * 3;
  const sums = new Map(
    ["none" as const, ...DISTORTION_KINDS].map((kind) => [kind, { distorted: 0, reconstructed: 0 }]),
  );
  const root = seeded(seed);
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
          distort(own(clean), faces.side, drawOf(kind, random.fork(`${index}`)), own(given));
        });
      const made = await reconstruct(given);
      for (let i = 0; i < clean.length; i++) {
        sum.distorted += (given[i]! - clean[i]!) ** 2;
        sum.reconstructed += ((made[i]! + 1) * 127.5 - clean[i]!) ** 2;
      }
    }
  }
  const psnr = (squares: number) => 10 * Math.log10(255 ** 2 / (squares / (indices.length * size)));
  return Array.from(sums, ([kind, { distorted, reconstructed }]) => ({
    kind,
    faces: indices.length,
    distorted: psnr(distorted),
    reconstructed: psnr(reconstructed),
  }));
}
