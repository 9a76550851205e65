import {
  BR_IF,
  END,
  F32X4,
  f32,
  fn,
  get,
  I32,
  I32_ADD,
  I32_CONST,
  I32_SUB,
  I32X4,
  LOAD,
  LOCAL_SET,
  LOCAL_TEE,
  LOOP,
  load,
  moduleOf,
  NOTHING,
  STORE,
  simd,
  V128,
  V128_OF,
} from "../compile/wasm.ts";
import { fromFloat16 } from "../float16.ts";

/** Widens float16 to float32 inside one memory. */
export interface HalfLoop {
  /**
   * `count` halves at byte `from`, a multiple of 2, become as many float32 at byte `to`, a multiple of 4. The halves may lie
   * in the upper half of where the floats go: each is read before its place is written to.
   */
  widen(from: number, to: number, count: number): void;
}

/**
 * The loop on a memory made with `shared: true`, eight halves at a time, exact for all of them. Looked up in a table one by
 * one they take ten times as long.
 */
export function halfLoop(memory: WebAssembly.Memory): HalfLoop {
  const { exports } = new WebAssembly.Instance(compiled(), { m: { m: memory } });
  const loop = exports.widen as (blocks: number, from: number, to: number) => void;
  return {
    widen(from, to, count) {
      const blocks = Math.floor(count / BLOCK);
      if (blocks > 0) loop(blocks, from, to);
      const done = blocks * BLOCK;
      if (done === count) return;
      const halves = new Uint16Array(memory.buffer, from, count);
      const floats = new Float32Array(memory.buffer, to, count);
      for (let i = done; i < count; i++) floats[i] = fromFloat16(halves[i]!);
    },
  };
}

const BLOCK = 8;

let module: WebAssembly.Module | undefined;

function compiled(): WebAssembly.Module {
  module ??= new WebAssembly.Module(widening());
  return module;
}

/**
 * A half's bits, moved to the upper half of a word and three places back, are those of a float32 whose exponent is too small
 * by 112: one multiplication by 2^112 mends that, exactly, and makes normal numbers of subnormal ones. Infinities and NaN,
 * which come out as 65536 and more, get the exponent that they lost.
 *
 *     widen(blocks: i32, from: i32, to: i32)    blocks of eight, above 0
 */
function widening(): Uint8Array<ArrayBuffer> {
  const [blocks, from, to] = [0, 1, 2];
  const [zero, mask, scale, limit, exponent, eight, four] = [3, 4, 5, 6, 7, 8, 9];
  const set = (local: number, code: readonly number[]) => [...code, LOCAL_SET, local];
  const word = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)];
  const all = (value: number) => [...simd(V128_OF.const), ...[0, 1, 2, 3].flatMap(() => word(value))];
  const fours = [0, 1].flatMap((part) => [
    ...set(four, [
      // Each half behind two bytes of zero.
      ...[...get(zero), ...get(eight), ...simd(V128_OF.shuffle), ...interleaved(part * 8)],
      ...[I32_CONST, 3, ...simd(I32X4.shiftRight), ...get(mask), ...simd(V128_OF.and)],
      ...[...get(scale), ...simd(F32X4.mul)],
    ]),
    ...get(to),
    ...get(four),
    ...[...get(four), ...simd(F32X4.abs), ...get(limit), ...simd(F32X4.atLeast)],
    ...[...get(exponent), ...simd(V128_OF.and), ...simd(V128_OF.or)],
    ...load(STORE, part * 16),
  ]);
  const advance = (pointer: number, bytes: number) => [...get(pointer), I32_CONST, bytes, I32_ADD, LOCAL_SET, pointer];
  const code = [
    ...set(zero, all(0)),
    ...set(mask, all(0x8fffffff)),
    ...set(scale, [...f32(2 ** 112), ...simd(F32X4.splat)]),
    ...set(limit, [...f32(65_536), ...simd(F32X4.splat)]),
    ...set(exponent, all(0x7f800000)),
    ...[LOOP, NOTHING, ...set(eight, [...get(from), ...load(LOAD)]), ...fours],
    ...[...advance(from, 16), ...advance(to, 32)],
    ...[...get(blocks), I32_CONST, 1, I32_SUB, LOCAL_TEE, blocks, BR_IF, 0, END],
  ];
  const parameters = [I32, I32, I32];
  return moduleOf([{ parameters, results: [] }], [fn([[7, V128]], code)], ["widen"], "shared");
}

/** Lanes of a shuffle: two bytes of the first vector, two of the second, from byte `start` on. */
function interleaved(start: number): number[] {
  return [0, 2, 4, 6].flatMap((k) => [start + k, start + k + 1, 16 + start + k, 16 + start + k + 1]);
}
