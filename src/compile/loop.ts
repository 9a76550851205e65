import type { Arithmetic, Formula } from "./formula.ts";
import {
  BR_IF,
  END,
  F32,
  F32X4,
  F64,
  F64_ADD,
  F64X2,
  f32,
  fn,
  get,
  I32,
  I32_ADD,
  I32_CONST,
  I32_SUB,
  LOAD,
  LOAD_TWO,
  LOCAL_SET,
  LOCAL_TEE,
  LOOP,
  leb,
  load,
  moduleOf,
  NOTHING,
  STORE,
  simd,
  V128,
} from "./wasm.ts";

/** A formula as WebAssembly: a module that imports the memory `m.m`, and exports `update` and `norm`. */
export interface Loop {
  readonly module: Uint8Array;
  /** Whether the formula uses the gradient's norm. */
  readonly needsNorm: boolean;
}

/**
 * Writes the loop that computes a formula in place, four float32 at a time. A plain JavaScript loop, which must compute
 * in float64 and round after each operation, takes 7 times as long.
 *
 *     update(bytes: i32, …vectors: i32, …scalars: f32)    bytes: length of each vector, a multiple of 16 above 0;
 *                                                         vectors: their addresses, then the gradient's
 *     norm(bytes: i32, gradient: i32) → f64               the sum of the gradient's squares
 *
 * The formula's names are those of `vectors`, `gradient`, those of `scalars`, and `norm`, which comes as the last scalar.
 */
export function loopOf(formula: Formula, vectors: readonly string[], scalars: readonly string[]): Loop {
  const pointers = [...vectors, "gradient"];
  const numbers = [...scalars, "norm"];
  const parameters = 1 + pointers.length + numbers.length;
  /** Done once, before the loop; done for each four elements. */
  const [before, inside]: [number[], number[]] = [[], []];
  let lanes = 0;
  const keep = (place: number[], code: readonly number[]): Lane => {
    const local = parameters + lanes++;
    place.push(...code, LOCAL_SET, ...leb(local));
    return { local, fixed: place === before };
  };
  const operation =
    (code: number) =>
    (...operands: Lane[]): Lane => {
      const place = operands.every(({ fixed }) => fixed) ? before : inside;
      return keep(place, [...operands.flatMap(({ local }) => get(local)), ...simd(code)]);
    };
  const math: Arithmetic<Lane> = {
    number: (value) => keep(before, [...f32(value), ...simd(F32X4.splat)]),
    add: operation(F32X4.add),
    subtract: operation(F32X4.sub),
    multiply: operation(F32X4.mul),
    divide: operation(F32X4.div),
    least: operation(F32X4.min),
    root: operation(F32X4.sqrt),
  };
  const values: Record<string, Lane> = {};
  pointers.forEach((name, i) => {
    values[name] = keep(inside, [...get(1 + i), ...load(LOAD)]);
  });
  scalars.forEach((name, i) => {
    values[name] = keep(before, [...get(1 + pointers.length + i), ...simd(F32X4.splat)]);
  });
  let needsNorm = false;
  Object.defineProperty(values, "norm", {
    get() {
      needsNorm = true;
      return keep(before, [...get(parameters - 1), ...simd(F32X4.splat)]);
    },
  });
  const results = formula(math, values);
  for (const [name, { local }] of Object.entries(results)) {
    const vector = vectors.indexOf(name);
    if (vector < 0) throw new Error(`A formula gives "${name}", which is none of its vectors.`);
    inside.push(...get(1 + vector), ...get(local), ...load(STORE));
  }
  const advances = pointers.flatMap((_, i) => [...get(1 + i), I32_CONST, 16, I32_ADD, LOCAL_SET, ...leb(1 + i)]);
  const update = fn([[lanes, V128]], [...before, ...whileBytes([...inside, ...advances])]);
  return {
    needsNorm,
    module: moduleOf(
      [
        { parameters: [...Array(1 + pointers.length).fill(I32), ...Array(numbers.length).fill(F32)], results: [] },
        { parameters: [I32, I32], results: [F64] },
      ],
      [update, squares()],
      ["update", "norm"],
    ),
  };
}

/** A value of four elements, kept in a local; `fixed` is the same for all elements. */
interface Lane {
  readonly local: number;
  readonly fixed: boolean;
}

/** Squares are summed in float64, two a lane: a float32 sum of millions would lose half its digits. */
function squares(): number[] {
  const [gradient, sum, two] = [1, 2, 3];
  const pair = (offset: number) => [
    ...[...get(gradient), ...load(LOAD_TWO, offset), ...simd(F64X2.promote), LOCAL_SET, two],
    ...[...get(sum), ...get(two), ...get(two), ...simd(F64X2.mul), ...simd(F64X2.add), LOCAL_SET, sum],
  ];
  const advance = [...get(gradient), I32_CONST, 16, I32_ADD, LOCAL_SET, gradient];
  const total = [0, 1].flatMap((lane) => [...get(sum), ...simd(F64X2.lane), lane]);
  return fn([[2, V128]], [...whileBytes([...pair(0), ...pair(8), ...advance]), ...total, F64_ADD]);
}

/** Repeats `body` until the first parameter, lessened by 16 each time, is 0. */
function whileBytes(body: readonly number[]): number[] {
  const count = [...get(0), I32_CONST, 16, I32_SUB, LOCAL_TEE, 0];
  return [LOOP, NOTHING, ...body, ...count, BR_IF, 0, END];
}
