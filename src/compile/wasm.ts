/**
 * WebAssembly as bytes, as much as is needed (WebAssembly Core Specification 2.0, chapter 5): instructions are lists of
 * bytes, put one after the other.
 */

export const [I32, F32, F64, V128] = [0x7f, 0x7d, 0x7c, 0x7b] as const;
export const [LOOP, END, BR_IF, NOTHING] = [0x03, 0x0b, 0x0d, 0x40] as const;
export const [LOCAL_GET, LOCAL_SET, LOCAL_TEE] = [0x20, 0x21, 0x22] as const;
export const [I32_CONST, F32_CONST, I32_ADD, I32_SUB, F64_ADD] = [0x41, 0x43, 0x6a, 0x6b, 0xa0] as const;
export const [LOAD, STORE, LOAD_TWO] = [0x00, 0x0b, 0x5d] as const;
export const V128_OF = { const: 0x0c, shuffle: 0x0d, and: 0x4e, or: 0x50 } as const;
export const I32X4 = { shiftRight: 0xac } as const;
export const F32X4 = {
  splat: 0x13,
  atLeast: 0x46,
  abs: 0xe0,
  sqrt: 0xe3,
  add: 0xe4,
  sub: 0xe5,
  mul: 0xe6,
  div: 0xe7,
  min: 0xe8,
} as const;
export const F64X2 = { promote: 0x5f, lane: 0x21, add: 0xf0, mul: 0xf2 } as const;

export const get = (local: number): number[] => [LOCAL_GET, ...leb(local)];
export const simd = (code: number): number[] => [0xfd, ...leb(code)];
/** With the least alignment promised: what it is costs nothing. */
export const load = (code: number, offset = 0): number[] => [...simd(code), 0, ...leb(offset)];
export const f32 = (value: number): number[] => [F32_CONST, ...new Uint8Array(Float32Array.of(value).buffer)];

/** An unsigned number in LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const list = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
const sized = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
const text = (value: string) => sized([...new TextEncoder().encode(value)]);

/** A function's body, with its locals beyond the parameters. */
export function fn(locals: readonly (readonly [count: number, type: number])[], code: readonly number[]): number[] {
  return sized([...list(locals.map(([count, type]) => [...leb(count), type])), ...code, END]);
}

/** A memory of this process alone, of any size; or one that threads share, of at most 4 GiB. */
const MEMORY = { own: [0, 0], shared: [3, 0, ...leb(65_536)] };

/** A module that imports the memory `m.m` and exports its functions. */
export function moduleOf(
  types: readonly { readonly parameters: readonly number[]; readonly results: readonly number[] }[],
  functions: readonly (readonly number[])[],
  names: readonly string[],
  memory: keyof typeof MEMORY = "own",
): Uint8Array<ArrayBuffer> {
  const section = (id: number, items: readonly (readonly number[])[]) => [id, ...sized(list(items))];
  const bytes = (types: readonly number[]) => list(types.map((type) => [type]));
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      types.map(({ parameters, results }) => [0x60, ...bytes(parameters), ...bytes(results)]),
    ),
    ...section(2, [[...text("m"), ...text("m"), 2, ...MEMORY[memory]]]),
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
