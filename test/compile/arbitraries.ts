import fc from "fast-check";
import type { Given } from "./conformance.ts";

type DType = Given["dtype"];

/** Small shapes whose axes differ more often than not. */
export const shapes = (minRank: number, maxRank: number, maxLength = 4): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: maxLength }), { minLength: minRank, maxLength: maxRank });

/** Numbers for a shape: floats in steps of 1/8, whole numbers, or 0 and 1. */
export function given(shape: number[], dtype: DType = "float32", min = -4, max = 4): fc.Arbitrary<Given> {
  const length = shape.reduce((a, b) => a * b, 1);
  const [low, high, unit] = dtype === "float32" ? [min * 8, max * 8, 8] : dtype === "int32" ? [min, max, 1] : [0, 1, 1];
  return fc
    .array(fc.integer({ min: Math.ceil(low), max: Math.floor(high) }), { minLength: length, maxLength: length })
    .map((data) => ({ shape, dtype, data: data.map((x) => x / unit) }));
}

export const anyGiven = (dtype: DType = "float32", min = -4, max = 4, minRank = 0, maxRank = 4): fc.Arbitrary<Given> =>
  shapes(minRank, maxRank).chain((shape) => given(shape, dtype, min, max));

/** Two shapes that broadcast: axes cut to 1 and leading ones left off. */
export const broadcasting: fc.Arbitrary<[number[], number[]]> = shapes(0, 4, 3).chain((shape) => {
  const cut = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), fc.nat(shape.length))
    .map(([ones, drop]) => shape.map((length, axis) => (ones[axis] ? 1 : length)).slice(drop));
  return fc.oneof(
    cut.map((other): [number[], number[]] => [shape, other]),
    cut.map((other): [number[], number[]] => [other, shape]),
    fc.constant<[number[], number[]]>([shape, shape]),
  );
});

export const pair = (dtype: DType, min = -4, max = 4): fc.Arbitrary<[Given, Given]> =>
  broadcasting.chain(([a, b]) => fc.tuple(given(a, dtype, min, max), given(b, dtype, min, max)));

export const dtypes = (...names: DType[]): fc.Arbitrary<DType> => fc.constantFrom(...names);
