import fc from "fast-check";
import { expect, test } from "vitest";
import { Arena, bytesOf } from "../../src/compile/arena.ts";
import type { Arithmetic, Formula } from "../../src/compile/formula.ts";
import { loopOf } from "../../src/compile/loop.ts";

/** The slow, obvious arithmetic: one number at a time, rounded after each operation. */
const NUMBERS: Arithmetic<number> = {
  number: Math.fround,
  add: (a, b) => Math.fround(a + b),
  subtract: (a, b) => Math.fround(a - b),
  multiply: (a, b) => Math.fround(a * b),
  divide: (a, b) => Math.fround(a / b),
  least: (a, b) => Math.min(a, b),
  root: (a) => Math.fround(Math.sqrt(a)),
};

/** Every operation, of vectors and of what is the same for all elements. */
const all: Formula = (math, { a, b, gradient, norm, rate }) => {
  const fixed = math.root(math.add(math.multiply(rate!, rate!), math.number(0.3)));
  const clipped = math.multiply(gradient!, math.least(math.divide(math.number(2), norm!), math.number(1)));
  const root = math.root(math.multiply(a!, a!));
  return {
    b: math.subtract(math.multiply(b!, fixed), clipped),
    a: math.divide(math.add(root, clipped), math.add(fixed, math.least(a!, b!))),
  };
};
const float = fc.float({ min: -1e3, max: 1e3, noNaN: true });

test("a loop gives the bits of the arithmetic one by one, and leaves its neighbours alone", () => {
  const rows = fc.array(fc.tuple(float, float, float), { minLength: 1, maxLength: 37 });
  fc.assert(
    fc.property(rows, float, (rows, rate) => {
      const arena = new Arena();
      const names = ["a", "b", "gradient"] as const;
      for (const name of [...names, "behind"]) arena.place(name, rows.length);
      names.forEach((name, i) => {
        arena.view(name).set(rows.map((row) => row[i]!));
      });
      arena.view("behind").fill(7);
      const loop = loopOf(all, ["a", "b"], ["rate"]);
      expect(loop.needsNorm).toBe(true);
      const { update, norm } = opened(loop.module, arena);
      const bytes = Math.ceil(rows.length / 4) * 16;
      const squares = norm(bytes, arena.at("gradient"));
      let sum = 0;
      for (const [, , gradient] of rows) sum += gradient ** 2;
      expect(Math.abs(squares - sum)).toBeLessThanOrEqual(1e-12 * sum);
      const length = Math.sqrt(squares);
      update(bytes, ...names.map((name) => arena.at(name)), rate, length);
      rows.forEach(([a, b, gradient], i) => {
        const values = { a, b, gradient, norm: Math.fround(length), rate: Math.fround(rate) };
        const wanted = all(NUMBERS, values);
        expect([arena.view("a")[i], arena.view("b")[i]]).toEqual([wanted.a, wanted.b]);
      });
      expect([...arena.view("behind")]).toEqual(rows.map(() => 7));
    }),
    { numRuns: 60 },
  );
});

test("a formula that does not ask for the norm does not need it; one that gives what is no vector is refused", () => {
  expect(loopOf((_, { a }) => ({ a: a! }), ["a"], []).needsNorm).toBe(false);
  expect(() => loopOf((_, { a }) => ({ b: a! }), ["a"], [])).toThrow(/gives "b"/);
});

test("an arena keeps what it holds when it grows, and puts nothing over it", () => {
  const arena = new Arena();
  arena.place("a", 5);
  arena.view("a").set([1, 2, 3, 4, 5]);
  arena.place("none", 0);
  arena.place("large", 100_000);
  arena.view("large").fill(9);
  expect([...arena.view("a")]).toEqual([1, 2, 3, 4, 5]);
  expect(arena.view("none")).toHaveLength(0);
  arena.place("a", 3);
  expect(arena.view("a")).toHaveLength(5);
  expect(arena.at("large") % 64).toBe(0);
  expect([bytesOf(0), bytesOf(1), bytesOf(17)]).toEqual([0, 64, 128]);
});

function opened(module: Uint8Array, arena: Arena) {
  const compiled = new WebAssembly.Module(module as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(compiled, { m: { m: arena.memory } }).exports as unknown as {
    update(bytes: number, ...rest: number[]): void;
    norm(bytes: number, gradient: number): number;
  };
}
