import type { Arithmetic, Formula } from "./formula.ts";

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

// --- WebAssembly, as much as is needed (WebAssembly Core Specification 2.0, chapter 5) -------------------------------

const [I32, F32, F64, V128] = [0x7f, 0x7d, 0x7c, 0x7b];
const [LOOP, END, BR_IF, NOTHING] = [0x03, 0x0b, 0x0d, 0x40];
const [LOCAL_GET, LOCAL_SET, LOCAL_TEE] = [0x20, 0x21, 0x22];
const [I32_CONST, F32_CONST, I32_ADD, I32_SUB, F64_ADD] = [0x41, 0x43, 0x6a, 0x6b, 0xa0];
const [LOAD, STORE, LOAD_TWO] = [0x00, 0x0b, 0x5d];
const F32X4 = { splat: 0x13, sqrt: 0xe3, add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, min: 0xe8 };
const F64X2 = { promote: 0x5f, lane: 0x21, add: 0xf0, mul: 0xf2 };

const get = (local: number) => [LOCAL_GET, ...leb(local)];
const simd = (code: number) => [0xfd, ...leb(code)];
/** With the least alignment promised: what it is costs nothing. */
const load = (code: number, offset = 0) => [...simd(code), 0, ...leb(offset)];
const f32 = (value: number) => [F32_CONST, ...new Uint8Array(Float32Array.of(value).buffer)];

/** An unsigned number in LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const list = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
const sized = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
const text = (value: string) => sized([...new TextEncoder().encode(value)]);

function fn(locals: readonly (readonly [count: number, type: number])[], code: readonly number[]): number[] {
  return sized([...list(locals.map(([count, type]) => [...leb(count), type])), ...code, END]);
}

function moduleOf(
  types: readonly { readonly parameters: readonly number[]; readonly results: readonly number[] }[],
  functions: readonly (readonly number[])[],
  names: readonly string[],
): Uint8Array {
  const section = (id: number, items: readonly (readonly number[])[]) => [id, ...sized(list(items))];
  const memory = [...text("m"), ...text("m"), 2, 0, 0];
  const bytes = (types: readonly number[]) => list(types.map((type) => [type]));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      types.map(({ parameters, results }) => [0x60, ...bytes(parameters), ...bytes(results)]),
    ),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, i) => [i]),
    ),
    ...section(
      7,
      names.map((name, i) => [...text(name), 0, i]),
    ),
    ...section(10, functions),
  ]);
}
