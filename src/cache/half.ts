/**
 * float32 → float16 (IEEE 754 binary16), rounded to nearest, ties to even, subnormals included.
 * Writes `from.length` values into `into` from position `at`.
 *
 * @returns the index in `from` of the first value that float16 cannot hold (NaN, ±∞, or |x| ≥ 65520, which would round
 * to ∞), or -1 when every value was converted. What was written before that index is right, after it undefined.
 */
export function toHalf(from: Float32Array, into: Uint16Array, at = 0): number {
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const magnitude = x & 0x7fff_ffff;
    let half: number;
    if (magnitude >= OVERFLOW) return i;
    if (magnitude < SMALLEST_NORMAL) {
      // float32 between 0.5 and 1 has steps of 2^-24, float16's subnormal step: the addition does the rounding.
      scratch[0] = Math.abs(from[i]!) + 0.5;
      half = scratchBits[0]! - HALF_ONE;
    } else {
      // Rebias the exponent by 127 - 15 and add half a step less one, plus one where the kept mantissa is odd.
      half = (magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    }
    into[at + i] = ((x >>> 16) & 0x8000) | half;
  }
  return -1;
}

/** float16 bits → float32, exactly (float32 holds every float16). Reads `count` values from `from` into `into` at `at`. */
export function fromHalf(from: Uint16Array, into: Float32Array, at = 0, count = from.length): void {
  for (let i = 0; i < count; i++) into[at + i] = table[from[i]!]!;
}

/** The first index of a value that is NaN or ±∞, or -1. */
export function firstNonFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7f80_0000) === 0x7f80_0000) return i;
  return -1;
}

const OVERFLOW = 0x477f_f000; // 65520
const SMALLEST_NORMAL = 0x3880_0000; // 2^-14
const HALF_ONE = 0x3f00_0000; // 0.5
const REBIAS = 112 << 23;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

// 256 KiB that stay in the second-level cache: one load a value, no branches.
const table = Float32Array.from({ length: 0x1_0000 }, (_, half) => {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
});
