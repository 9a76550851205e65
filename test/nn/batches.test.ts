import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inBatches } from "../../src/nn/batches.ts";

const wants = (n: number) => n >= 0;
const double = async (items: readonly number[]) => items.map((n) => n * 2);

async function* from<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const given: T[] = [];
  for await (const item of items) given.push(item);
  return given;
}

describe("in batches", () => {
  test("every item comes back once, in order, with its own result or null", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -3, max: 9 })),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        async (items, size, held) => {
          const sizes: number[] = [];
          const run = (batch: readonly number[]) => {
            sizes.push(batch.length);
            return double(batch);
          };
          const given = await all(inBatches(from(items), { size, held, wants, run }));
          expect(given).toEqual(items.map((n) => [n, n >= 0 ? n * 2 : null]));
          expect(sizes.every((n) => n >= 1 && n <= size)).toBe(true);
          expect(sizes.reduce((a, b) => a + b, 0)).toBe(items.filter(wants).length);
        },
      ),
    );
  });

  test("batches are full but for the last", async () => {
    const sizes: number[] = [];
    const run = (batch: readonly number[]) => {
      sizes.push(batch.length);
      return double(batch);
    };
    await all(inBatches(from([1, -1, 2, 3, -1, 4, 5, 6, 7]), { size: 3, wants, run }));
    expect(sizes).toEqual([3, 3, 1]);
  });

  test("items that want nothing pass at once while nothing is ahead of them", async () => {
    let taken = 0;
    const input = async function* () {
      for (const n of [-1, -2, -3]) {
        taken += 1;
        yield n;
      }
    };
    const batches = inBatches(input(), { size: 4, wants, run: double });
    expect((await batches.next()).value).toEqual([-1, null]);
    expect(taken).toBe(1);
    await batches.return();
  });

  test("the next batch fills while one runs, and never more than two are under way", async () => {
    const events: string[] = [];
    let running = 0;
    let most = 0;
    const run = async (batch: readonly number[]) => {
      events.push(`start ${batch[0]}`);
      most = Math.max(most, ++running);
      await sleep(20);
      running -= 1;
      events.push(`end ${batch[0]}`);
      return batch;
    };
    const input = async function* () {
      for (let n = 0; n < 8; n++) {
        events.push(`read ${n}`);
        yield n;
      }
    };
    await all(inBatches(input(), { size: 2, wants, run }));
    expect(most).toBe(2);
    expect(events.indexOf("read 3")).toBeLessThan(events.indexOf("end 0"));
    // The third batch may not begin before the first was taken.
    expect(events.indexOf("start 4")).toBeGreaterThan(events.indexOf("end 0"));
  });

  test("a batch starts unfilled when too many others wait", async () => {
    const sizes: number[] = [];
    const run = (batch: readonly number[]) => {
      sizes.push(batch.length);
      return double(batch);
    };
    await all(inBatches(from([1, -1, -1, 2, -1, -1, -1]), { size: 4, held: 3, wants, run }));
    expect(sizes).toEqual([1, 1]);
  });

  test("a failing batch fails the loop after what came before, and what runs is waited for", async () => {
    const given: unknown[] = [];
    let ended = 0;
    const run = async (batch: readonly number[]) => {
      await sleep(5 * batch[0]!);
      ended += 1;
      if (batch[0] === 2) throw new RangeError("batch 2");
      return batch;
    };
    const loop = async () => {
      for await (const pair of inBatches(from([0, 1, 2, 3, 4, 5, 6]), { size: 2, wants, run })) given.push(pair[0]);
    };
    await expect(loop()).rejects.toThrow("batch 2");
    expect(given).toEqual([0, 1]);
    expect(ended).toBe(3);
  });

  test("leaving early, or an input that fails, waits for what runs and closes the input", async () => {
    let ended = 0;
    let closed = 0;
    const run = async (batch: readonly number[]) => {
      await sleep(10);
      ended += 1;
      return batch;
    };
    const input = async function* (last: number) {
      try {
        for (let n = 0; n < last; n++) yield n;
        throw new RangeError("the input broke");
      } finally {
        closed += 1;
      }
    };
    for await (const _ of inBatches(input(100), { size: 2, wants, run })) break;
    expect([ended, closed]).toEqual([2, 1]);
    await expect(all(inBatches(input(3), { size: 2, wants, run }))).rejects.toThrow("the input broke");
    expect([ended, closed]).toEqual([3, 2]);
  });
});
