import fc from "fast-check";
import { expect, test } from "vitest";
import { assign } from "../../src/vision/assign.ts";

const LIMIT = 8;
const matrix = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 5 })).chain(([rows, columns]) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 10 }), { minLength: columns, maxLength: columns }), {
    minLength: rows,
    maxLength: rows,
  }),
);

/** Least total over every way of pairing, where a row left alone costs LIMIT. */
function least(costs: readonly (readonly number[])[], row = 0, used: readonly number[] = []): number {
  if (row === costs.length) return 0;
  let best = LIMIT + least(costs, row + 1, used);
  costs[row]!.forEach((cost, column) => {
    if (!used.includes(column)) best = Math.min(best, cost + least(costs, row + 1, [...used, column]));
  });
  return best;
}

test("the total cost is the least of all pairings", () => {
  fc.assert(
    fc.property(matrix, (costs) => {
      const pairs = assign(costs, LIMIT);
      expect(new Set(pairs.map(([row]) => row)).size).toBe(pairs.length);
      expect(new Set(pairs.map(([, column]) => column)).size).toBe(pairs.length);
      const paid = pairs.reduce((sum, [row, column]) => sum + costs[row]![column]!, 0);
      expect(paid + (costs.length - pairs.length) * LIMIT).toBe(least(costs));
      for (const [row, column] of pairs) expect(costs[row]![column]!).toBeLessThan(LIMIT);
    }),
  );
});
