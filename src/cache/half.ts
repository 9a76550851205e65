import { type HalfLoop, halfLoop } from "./half-loop.ts";

/**
 * float32 → float16 bits, rounded to nearest, ties to even. Writes `from.length` values into `into` from position `at`.
 *
 * @returns the index in `from` of the first value that float16 cannot hold (NaN, ±∞, or |x| ≥ 65520, which would round
 * to ∞), or -1 when every value was converted
 */
export function toHalf(from: Float32Array, into: Uint16Array, at = 0): number {
  // Signed words, and a view that begins at 0, keep boxed numbers and additions out of the loop.
  const bits = new Int32Array(from.buffer, from.byteOffset, from.length);
  const halves = into.subarray(at, at + from.length);
  for (let i = 0; i < bits.length; i++) {
    const all = bits[i]!;
    const magnitude = all & 0x7fffffff;
    // Nearly all latents are normal halves: the exponent is shifted, and the tail rounded off.
    if ((magnitude - SMALLEST_NORMAL) >>> 0 < TOO_LARGE - SMALLEST_NORMAL)
      halves[i] = ((all >>> 16) & 0x8000) | ((magnitude + (0xfff - 0x38000000) + ((magnitude >>> 13) & 1)) >>> 13);
    else if (magnitude < SMALLEST_NORMAL) halves[i] = ((all >>> 16) & 0x8000) | subnormal(magnitude);
    else return i;
  }
  return -1;
}

/** Multiples of 2^-24: the mantissa with its leading one, shifted by what the exponent lacks, ties to even. */
function subnormal(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  return (mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift;
}

/** float16 bits → float32, exactly. Reads `count` values from `from` into `into` from position `at`. */
export function fromHalf(from: Uint16Array, into: Float32Array, at = 0, count = from.length): void {
  const { halves, floats, loop } = scratch();
  for (let done = 0; done < count; done += PIECE) {
    const now = Math.min(PIECE, count - done);
    halves.set(from.subarray(done, done + now));
    loop.widen(halves.byteOffset, 0, now);
    into.set(now === PIECE ? floats : floats.subarray(0, now), at + done);
  }
}

/** The first index of a value that is NaN or ±∞, or -1. */
export function firstNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
}

// As float32 bits: 2^-14, and 65520, the first that rounds to infinity.
const SMALLEST_NORMAL = 0x38800000;
const TOO_LARGE = 0x477ff000;

// In and out, small enough to stay in the second-level cache.
const PIECE = 1 << 15;
const PAGE = 1 << 16;

let made: { halves: Uint16Array; floats: Float32Array; loop: HalfLoop } | undefined;

/** The loop works in a memory of its own. */
function scratch() {
  if (made === undefined) {
    const pages = (PIECE * 6) / PAGE;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const halves = new Uint16Array(memory.buffer, PIECE * 4, PIECE);
    made = { halves, floats: new Float32Array(memory.buffer, 0, PIECE), loop: halfLoop(memory) };
  }
  return made;
}
