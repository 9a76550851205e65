import { fromFloat16, toFloat16 } from "../float16.ts";
import type { Value } from "./types.ts";

/** Element types of a model's inputs and outputs that can be fed and returned, by ONNX Runtime's names. */
export const DTYPES = [
  "float32",
  "float16",
  "float64",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
] as const;
export type Dtype = (typeof DTYPES)[number];

export const isDtype = (name: string): name is Dtype => DTYPES.some((dtype) => dtype === name);
export const isFloat = (name: string): boolean => name === "float32" || name === "float16" || name === "float64";

/** Lowest and highest whole number of a type; of the 64-bit ones, as far as doubles are exact. */
const RANGES: Partial<Record<Dtype, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

type Plain = Value["data"];
type Runtime =
  | Plain
  | Float64Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Whether numbers of one type may be fed as another: floats as any float, bytes and int32 as any whole numbers that hold
 * them, bytes as truth values. `data` says which whole numbers there are.
 */
export function fits(data: Plain, type: Dtype): boolean {
  if (data instanceof Float32Array) return isFloat(type);
  if (type === "bool") return data instanceof Uint8Array;
  const range = RANGES[type];
  if (!range) return false;
  if (data instanceof Uint8Array && range[1] >= 255) return true;
  if (data instanceof Int32Array && range[0] <= -(2 ** 31) && range[1] >= 2 ** 31 - 1) return true;
  return data.every((x) => x >= range[0] && x <= range[1]);
}

/** What ONNX Runtime holds a tensor of that type in; the numbers are known to fit. Float16 is rounded to nearest even. */
export function toRuntime(data: Plain, type: Dtype): Runtime {
  switch (type) {
    case "float16":
      return Uint16Array.from(data, toFloat16);
    case "float64":
      return Float64Array.from(data);
    case "int64":
      return BigInt64Array.from(Array.from(data, BigInt));
    case "uint64":
      return BigUint64Array.from(Array.from(data, BigInt));
    case "int32":
      return data instanceof Int32Array ? data : Int32Array.from(data);
    case "uint8":
      return data instanceof Uint8Array ? data : Uint8Array.from(data);
    case "int8":
      return Int8Array.from(data);
    case "int16":
      return Int16Array.from(data);
    case "uint16":
      return Uint16Array.from(data);
    case "uint32":
      return Uint32Array.from(data);
    default:
      return data;
  }
}

/**
 * An output as float32, int32 or bytes: floats of any width as float32, whole numbers but bytes as int32.
 * Throws an Error that names the output when it holds text, or a whole number that int32 does not.
 */
export function fromRuntime(name: string, data: unknown, type: string): Plain {
  if (type === "float16" && data instanceof Uint16Array) return Float32Array.from(data, fromFloat16);
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) return data;
  if (isFloat(type)) return Float32Array.from(data as ArrayLike<number>);
  const isWhole = ["int8", "int16", "uint16", "uint32", "int64", "uint64"].includes(type);
  if (!isWhole)
    throw new Error(`the output "${name}" is of the type ${type}: only numbers and truth values can be returned`);
  const numbers = Array.from(data as ArrayLike<number | bigint>, Number);
  const beyond = numbers.find((x) => x !== (x | 0));
  if (beyond !== undefined) throw new Error(`the output "${name}" holds ${beyond}, which does not fit into int32`);
  return Int32Array.from(numbers);
}
