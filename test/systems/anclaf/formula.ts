import type { ParameterSpec, Weight, Weights } from "../../../src/nn/weights.ts";
import { sizeOf } from "../../../src/nn/weights.ts";

/** Weights and pixels that oracle.py computes in the same way, so that they need not be stored. */
export function formulaWeights(specs: readonly ParameterSpec[]): Weights {
  return new Map(
    specs.map(({ name, shape }, stream): [string, Weight] => {
      const [first = 1, ...rest] = shape;
      const bound = Math.sqrt(6 / sizeOf(rest));
      const centre = name.endsWith("weight") ? 1 : 0;
      const data = Float32Array.from({ length: first * sizeOf(rest) }, (_, i) => {
        const u = 2 * hashed(i, stream) - 1;
        return shape.length > 1 ? u * bound : 0.5 * u + centre;
      });
      return [name, { shape, data }];
    }),
  );
}

export function formulaPixels(images: number, side: number, stream = 1000): Uint8Array {
  return Uint8Array.from({ length: images * side * side * 3 }, (_, i) => Math.floor(256 * hashed(i, stream)));
}

/** Numbers in [0, 1). */
export function formulaNumbers(length: number, stream: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => hashed(i, stream));
}

function hashed(i: number, stream: number): number {
  let x = (Math.imul(i, 0x9e3779b1) + Math.imul(stream, 0x85ebca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
