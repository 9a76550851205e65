/**
 * Affine 8-bit code of one shard, per channel (the first axis of the shape): x̂ = offset + scale · code, code 0..255.
 * |x − x̂| ≤ scale / 2, plus the rounding of x̂ to float32; `scale` is (max − min) / 255 of that channel in the shard,
 * so a channel that never changes is kept exactly.
 */
export interface Quantisation {
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

/** Smallest and largest value of each channel seen so far. */
export class Ranges {
  readonly min: Float32Array;
  readonly max: Float32Array;

  constructor(channels: number) {
    this.min = new Float32Array(channels).fill(Number.POSITIVE_INFINITY);
    this.max = new Float32Array(channels).fill(Number.NEGATIVE_INFINITY);
  }

  /** `z` is one latent, channel-first and finite. */
  add(z: Float32Array): void {
    const per = z.length / this.min.length;
    for (let c = 0; c < this.min.length; c++) {
      let low = this.min[c]!;
      let high = this.max[c]!;
      for (let i = c * per; i < (c + 1) * per; i++) {
        const x = z[i]!;
        if (x < low) low = x;
        if (x > high) high = x;
      }
      this.min[c] = low;
      this.max[c] = high;
    }
  }

  /** The code that spans the ranges. */
  quantisation(): Quantisation {
    return {
      scale: Array.from(this.max, (max, c) => (max - this.min[c]!) / 255),
      offset: Array.from(this.min),
    };
  }
}

/** Codes of `count` latents lying one after the other in `from`. */
export function quantise(
  from: Float32Array,
  into: Uint8Array,
  count: number,
  size: number,
  { scale, offset }: Quantisation,
): void {
  const per = size / scale.length;
  for (let i = 0, row = 0; row < count; row++)
    for (let c = 0; c < scale.length; c++) {
      const low = offset[c]!;
      const inverse = scale[c]! > 0 ? 1 / scale[c]! : 0;
      // A range too narrow for a normal number has no finite inverse; its codes say nothing, its offset everything.
      const steps = Number.isFinite(inverse) ? inverse : 0;
      for (let end = i + per; i < end; i++) into[i] = Math.min(255, Math.round((from[i]! - low) * steps));
    }
}

/** What `quantise` kept: `count` latents from `from` into `into` at element `at`. */
export function dequantise(
  from: Uint8Array,
  into: Float32Array,
  at: number,
  count: number,
  size: number,
  { scale, offset }: Quantisation,
): void {
  const per = size / scale.length;
  for (let i = 0, row = 0; row < count; row++)
    for (let c = 0; c < scale.length; c++) {
      const low = offset[c]!;
      const step = scale[c]!;
      for (let end = i + per; i < end; i++) into[at + i] = low + step * from[i]!;
    }
}
