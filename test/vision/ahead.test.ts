import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { grouped, mapAhead } from "../../src/vision/ahead.ts";

const never = new AbortController().signal;

/** Counts up, and knows whether it was closed. */
function counting(n: number, fail = Number.POSITIVE_INFINITY) {
  const state = { pulled: 0, closed: false };
  async function* source() {
    try {
      for (let i = 0; i < n; i++) {
        if (i === fail) throw new Error("source");
        state.pulled++;
        yield i;
      }
    } finally {
      state.closed = true;
    }
  }
  return { state, source: source() };
}
async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("mapAhead", () => {
  test("keeps the order however long each takes, and works on `limit` at once, never more", async () => {
    let [running, most] = [0, 0];
    const work = async (i: number) => {
      most = Math.max(most, ++running);
      await sleep((i * 7) % 5);
      running--;
      return i * i;
    };
    expect(await all(mapAhead(counting(20).source, 3, work, never))).toEqual(
      Array.from({ length: 20 }, (_, i) => i * i),
    );
    expect(most).toBe(3);
  });

  test("nothing in, nothing out", async () => {
    const { source, state } = counting(0);
    expect(await all(mapAhead(source, 3, (i) => i, never))).toEqual([]);
    expect(state.closed).toBe(true);
  });

  test("a failure comes at its place, after those before it, and closes the source", async () => {
    for (const [failing, work] of [
      [counting(9, 4), (i: number) => i],
      [counting(9), (i: number) => (i === 4 ? Promise.reject(new Error("work")) : i)],
    ] as const) {
      const seen: number[] = [];
      const run = async () => {
        for await (const i of mapAhead(failing.source, 3, work, never)) seen.push(i);
      };
      await expect(run()).rejects.toThrow(/source|work/);
      expect(seen).toEqual([0, 1, 2, 3]);
      expect(failing.state.closed).toBe(true);
    }
  });

  test("leaving the loop waits for the work in flight and closes the source", async () => {
    const { source, state } = counting(100);
    let finished = 0;
    for await (const _ of mapAhead(source, 3, () => sleep(3).then(() => finished++), never)) break;
    expect(state.closed).toBe(true);
    expect(finished).toBe(state.pulled);
    expect(state.pulled).toBeLessThanOrEqual(4);
  });

  test("an abort ends the wait for a source that gives nothing more", async () => {
    const controller = new AbortController();
    async function* silent() {
      yield 1;
      await sleep(60_000, undefined, { signal: controller.signal });
    }
    const run = all(mapAhead(silent(), 2, (i) => i, controller.signal));
    setImmediate(() => controller.abort(new Error("stopped")));
    await expect(run).rejects.toThrow("stopped");
  });
});

test("nothing is left on the signal, however long the stream: what was yielded can be forgotten", async () => {
  const { signal } = new AbortController();
  for await (const _ of mapAhead(counting(50).source, 4, (i) => i, signal))
    expect(getEventListeners(signal, "abort").length).toBeLessThanOrEqual(1);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("an abort waits for the work in flight before the source is closed", async () => {
  const controller = new AbortController();
  const { source, state } = counting(9);
  let [begun, finished] = [0, 0];
  const run = all(
    mapAhead(
      source,
      3,
      async () => {
        begun++;
        await sleep(10);
        finished++;
      },
      controller.signal,
    ),
  );
  setTimeout(() => controller.abort(new Error("stopped")), 15);
  await expect(run).rejects.toThrow("stopped");
  expect(begun).toBeGreaterThan(0);
  expect(finished).toBe(begun);
  expect(state.closed).toBe(true);
});

describe("grouped", () => {
  test("by number, then by weight, and a heavy one alone", async () => {
    async function* items() {
      yield* [1, 1, 1, 1, 5, 1, 9, 1];
    }
    expect(await all(grouped(items(), 3, (w) => w, 5))).toEqual([[1, 1, 1], [1], [5], [1], [9], [1]]);
  });
});
