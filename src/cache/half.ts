import { fromFloat16, toFloat16 } from "../float16.ts";

/**
 * float32 → float16 bits, rounded to nearest, ties to even. Writes `from.length` values into `into` from position `at`.
 *
 * @returns the index in `from` of the first value that float16 cannot hold (NaN, ±∞, or |x| ≥ 65520, which would round
 * to ∞), or -1 when every value was converted
 */
export function toHalf(from: Float32Array, into: Uint16Array, at = 0): number {
  // Nearly all latents are normal halves: their bits are read as they lie, without a call.
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  for (let i = 0; i < bits.length; i++) {
    const all = bits[i]!;
    const magnitude = all & 0x7fffffff;
    if (magnitude >= SMALLEST_NORMAL && magnitude < TOO_LARGE)
      into[at + i] = ((all >>> 16) & 0x8000) | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
    else {
      const half = toFloat16(from[i]!);
      if ((half & INFINITE) === INFINITE) return i;
      into[at + i] = half;
    }
  }
  return -1;
}

/** float16 bits → float32, exactly. Reads `count` values from `from` into `into` from position `at`. */
export function fromHalf(from: Uint16Array, into: Float32Array, at = 0, count = from.length): void {
  for (let i = 0; i < count; i++) into[at + i] = table[from[i]!]!;
}

/** The first index of a value that is NaN or ±∞, or -1. */
export function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
}

const INFINITE = 0x7c00;
// As float32 bits: 2^-14, and 65520, the first that rounds to infinity.
const SMALLEST_NORMAL = 0x38800000;
const TOO_LARGE = 0x477ff000;

// 256 KiB that stay in the second-level cache: one load a value, no branches.
const table = Float32Array.from({ length: 0x1_0000 }, (_, half) => fromFloat16(half));
