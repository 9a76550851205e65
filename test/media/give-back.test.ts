import { createHash } from "node:crypto";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { decode, giveBack } from "../../src/media/index.ts";
import { Room } from "../../src/media/room.ts";
import type { DecodedFrame } from "../../src/media/types.ts";
import { hear } from "./clips.ts";

const sample = join(import.meta.dirname, "../../data/samples/one-face.mp4");
const digest = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
let digests: readonly string[];
beforeAll(async () => {
  digests = (await hear(sample, { decoder: "libav" })).frames.map((frame) => frame.digest);
});

describe("frames that are given back", () => {
  it("change no other, whichever are kept, and whenever they are given back", async () => {
    // Of each frame: kept to the end, or given back after so many others.
    const fates = fc.array(fc.option(fc.nat(6)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fates, async (fates) => {
        const kept: DecodedFrame[] = [];
        const due = new Map<number, DecodedFrame[]>();
        let seen = 0;
        for await (const frame of decode(sample, { decoder: "libav", recycle: true })) {
          expect(digest(frame.image.data)).toBe(digests[frame.index]);
          const fate = fates[frame.index % fates.length] ?? null;
          const when = seen + (fate ?? 0);
          if (fate === null) kept.push(frame);
          else due.set(when, [...(due.get(when) ?? []), frame]);
          for (const { image } of due.get(seen) ?? []) giveBack(image);
          due.delete(seen++);
          await turn();
        }
        for (const { image } of [...due.values()].flat()) giveBack(image);
        for (const { index, image } of kept) expect(digest(image.data)).toBe(digests[index]);
      }),
      { numRuns: 12 },
    );
  });

  it("are empty, so that who still holds them cannot take other pixels for theirs", async () => {
    const decoding = decode(sample, { decoder: "libav", recycle: true })[Symbol.asyncIterator]();
    const { image } = (await decoding.next()).value as DecodedFrame;
    giveBack(image);
    expect(image.data).toHaveLength(0);
    giveBack(image);
    await decoding.return?.();
  });

  it("may come after the end, after a break, and from elsewhere", async () => {
    const frames: DecodedFrame[] = [];
    for await (const frame of decode(sample, { decoder: "libav", recycle: true })) if (frames.push(frame) === 9) break;
    for (const { image } of frames) giveBack(image);
    expect((await hear(sample, { decoder: "libav" })).frames.map((frame) => frame.digest)).toEqual(digests);
    const own = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    giveBack(own);
    expect([...own.data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("leave memory where it is: a long video touches little more than a short one", async () => {
    const peak = async (end: number) => {
      let most = 0;
      for await (const { image } of decode(sample, { decoder: "libav", recycle: true, end })) {
        most = Math.max(most, process.memoryUsage().arrayBuffers);
        giveBack(image);
      }
      return most;
    };
    const few = await peak(0.4);
    expect(await peak(99)).toBeLessThan(few + 4 * 2 ** 20);
  });
});

describe("room", () => {
  it("is the memory that was kept, else fresh, and of one size", () => {
    const room = new Room(100);
    const [a, b] = [room.take(40), room.take(40)];
    expect(a.buffer).not.toBe(b.buffer);
    room.keep(a.buffer as ArrayBuffer);
    expect(room.take(40).buffer).toBe(a.buffer);
    expect(room.take(40).buffer).not.toBe(a.buffer);
    room.keep(b.buffer as ArrayBuffer);
    expect(room.take(41)).toHaveLength(41);
    expect(room.kept).toBe(0);
    room.keep(a.buffer as ArrayBuffer);
    expect(room.kept).toBe(0);
  });

  it("has a bound", () => {
    const room = new Room(100);
    const all = Array.from({ length: 5 }, () => room.take(40).buffer as ArrayBuffer);
    for (const buffer of all) room.keep(buffer);
    expect(room.kept).toBe(80);
    const large = room.take(101);
    room.keep(large.buffer as ArrayBuffer);
    expect(room.kept).toBe(0);
    expect(room.take(0)).toHaveLength(0);
  });
});
