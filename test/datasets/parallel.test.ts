import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { inParallel } from "../../src/datasets/parallel.ts";

describe("work in parallel", () => {
  it("keeps results in order and no more than the limit under way", async () => {
    let running = 0;
    let most = 0;
    const results = await inParallel(9, 3, async (i) => {
      most = Math.max(most, ++running);
      await setTimeout((9 - i) % 4);
      running--;
      return i * i;
    });
    expect(results).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64]);
    expect(most).toBe(3);
    expect(await inParallel(0, 3, async () => 1)).toEqual([]);
    expect(await inParallel(1, 3, async (i) => i)).toEqual([0]);
  });

  it("begins nothing after a failure, and awaits what runs", async () => {
    const begun: number[] = [];
    let ended = 0;
    const work = async (i: number): Promise<void> => {
      begun.push(i);
      if (i === 1) throw new Error("one failed");
      await setTimeout(5);
      ended++;
    };
    await expect(inParallel(20, 2, work)).rejects.toThrow("one failed");
    expect([begun, ended]).toEqual([[0, 1], 1]);
  });

  it("stops at an abort with its reason", async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    const work = async (i: number): Promise<void> => {
      begun.push(i);
      if (i === 2) stop.abort(new Error("enough"));
    };
    await expect(inParallel(20, 1, work, stop.signal)).rejects.toThrow("enough");
    expect(begun).toEqual([0, 1, 2]);
  });
});
