/** How a latent's values are kept: exact, rounded to half precision, or as 8-bit codes per channel (see Quantisation). */
export const DTYPES = ["float16", "float32", "uint8"] as const;
export type Dtype = (typeof DTYPES)[number];

/** Bytes of one value. */
export const BYTES: Readonly<Record<Dtype, number>> = { float16: 2, float32: 4, uint8: 1 };

export type Values = Uint16Array | Float32Array | Uint8Array;

/** A zeroed buffer of `length` values; float16 as its bits. */
export function valuesOf(dtype: Dtype, length: number): Values {
  switch (dtype) {
    case "float16":
      return new Uint16Array(length);
    case "float32":
      return new Float32Array(length);
    case "uint8":
      return new Uint8Array(length);
  }
}

/** Number of values in one latent. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
