import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Clock, Sampler, toMicros } from "../../src/media/clock.ts";
import { judge } from "../../src/media/ending.ts";
import { Gate } from "../../src/media/ffmpeg-order.ts";

describe("toMicros", () => {
  it("is exact where floating point is not", () => {
    expect(toMicros(1n, { num: 1, den: 3 })).toBe(333333);
    expect(toMicros(2n, { num: 1, den: 3 })).toBe(666667);
    expect(toMicros(1n, { num: 1, den: 2_000_000 })).toBe(1);
    expect(toMicros(-1n, { num: 1, den: 2_000_000 })).toBe(-1);
    expect(toMicros(9_007_199_254_740_993n, { num: 1, den: 1_000_000_000 })).toBe(9_007_199_254_741);
  });

  it("is within half a microsecond of the fraction, and odd", () => {
    const ticks = fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n });
    fc.assert(
      fc.property(ticks, fc.integer({ min: 1, max: 1001 }), fc.integer({ min: 1, max: 240_000 }), (t, num, den) => {
        const exact = t * BigInt(num) * 1_000_000n;
        if (exact / BigInt(den) > 2n ** 53n || exact / BigInt(den) < -(2n ** 53n)) return;
        const micros = BigInt(toMicros(t, { num, den }));
        const error = 2n * (exact - micros * BigInt(den));
        expect(error <= BigInt(den) && error >= -BigInt(den)).toBe(true);
        expect(toMicros(-t, { num, den })).toBe(Number(-micros));
      }),
    );
  });
});

describe("Clock", () => {
  it("keeps rising times, mends missing, repeated and falling ones", () => {
    const clock = new Clock();
    const given = [100, 140, null, 180, 180, 20, 500].map((pts) => clock.next(pts, 40));
    expect(given).toEqual([100, 140, 180, 181, 182, 183, 500]);
    expect(new Clock().next(null, 40)).toBe(0);
  });
});

describe("Sampler", () => {
  it("takes at most one frame in each interval, the first, and all frames without fps", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -5_000_000, max: 20_000_000 }), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0.1, max: 60, noNaN: true }),
        (times, fps) => {
          times.sort((a, b) => a - b);
          const sampler = new Sampler({ fps });
          const taken = times.filter((pts) => sampler.see(pts) === "sample");
          const interval = (pts: number) => Math.floor(((pts - times[0]!) * fps) / 1e6);
          expect(taken.map(interval)).toEqual([...new Set(times.map(interval))]);
          for (const pts of taken) expect(times.find((other) => interval(other) === interval(pts))).toBe(pts);
        },
      ),
    );
    const every = new Sampler({});
    expect([5, 6, 7].map((pts) => every.see(pts))).toEqual(["sample", "sample", "sample"]);
  });

  it("starts counting at the first frame in range", () => {
    const sampler = new Sampler({ fps: 1, start: 1.5, end: 3.6 });
    const seen = [0, 1_400_000, 1_600_000, 2_500_000, 2_600_000, 3_599_999, 3_600_000].map((pts) => sampler.see(pts));
    expect(seen).toEqual(["skip", "skip", "sample", "skip", "sample", "skip", "end"]);
  });
});

describe("judge", () => {
  const base = {
    packets: [0, 2, 1],
    decoded: 3,
    sampled: 2,
    skipped: 1,
    announced: 3,
    duration: null,
    missingBytes: 0,
  };

  it("balances and says complete only when nothing is missing", () => {
    expect(judge(base)).toEqual({
      verdict: "complete",
      counts: { demuxed: 3, decoded: 3, failed: 0, sampled: 2, skipped: 1 },
      warnings: [],
    });
    expect(judge({ ...base, decoded: 1 })).toMatchObject({ verdict: "damaged", counts: { demuxed: 3, failed: 2 } });
    expect(judge({ ...base, error: "oh" })).toMatchObject({ verdict: "damaged" });
    expect(judge({ ...base, announced: 4 })).toMatchObject({ verdict: "truncated" });
    // 3 packets of 1 µs fill 3 µs: what else is announced was cut off by an edit list.
    expect(judge({ ...base, announced: 4, duration: 3 })).toMatchObject({ verdict: "complete" });
    expect(judge({ ...base, announced: 4, duration: 4 })).toMatchObject({ verdict: "truncated" });
    expect(judge({ ...base, packets: [null, 0], announced: 4, duration: 1 })).toMatchObject({ verdict: "truncated" });
    expect(judge({ ...base, missingBytes: 9, error: "oh" })).toMatchObject({ verdict: "truncated" });
    expect(judge({ ...base, decoded: 5 }).counts).toMatchObject({ demuxed: 5, failed: 0 });
  });

  it("counts only packets of the part that was decoded, and takes two fields for a frame", () => {
    const part = {
      ...base,
      packets: [0, 40, 80, 120, null],
      announced: null,
      decoded: 2,
      part: { first: 40, last: 80 },
    };
    expect(judge(part).counts).toMatchObject({ demuxed: 3, failed: 1 });
    const fields = { ...base, announced: null, packets: Array.from({ length: 20 }, (_, k) => k), decoded: 10 };
    expect(judge(fields)).toMatchObject({ verdict: "complete", counts: { demuxed: 10, failed: 0 } });
    expect(judge({ ...fields, error: "oh" })).toMatchObject({ verdict: "damaged", counts: { failed: 10 } });
  });
});

describe("Gate", () => {
  const raw = (pts: number) => ({ pts, data: new Uint8Array(0) });
  /** Decoding order of a group with two B-frames between references: 0 3 1 2 6 4 5 … */
  const order = (n: number) =>
    Array.from({ length: n }, (_, k) => (k === 0 ? 0 : k % 3 === 1 ? k + 2 : k - 1)).filter((pts) => pts < n);

  it("lets everything through when every packet gave its frame", () => {
    for (const n of [1, 4, 7, 31]) {
      const gate = new Gate(order(n), 2);
      const passed = Array.from({ length: n }, (_, pts) => gate.push(raw(pts)).frames).flat();
      passed.push(...gate.push(undefined).frames);
      expect(passed.map(({ pts }) => pts)).toEqual(Array.from({ length: n }, (_, pts) => pts));
    }
  });

  it("stops where a decoder that stops at the missing packet would", () => {
    const packets = order(31);
    for (let missing = 4; missing < 31; missing++) {
      const gate = new Gate(packets, 2);
      const passed: number[] = [];
      let hole = false;
      for (let pts = 0; pts <= 31 && !hole; pts++) {
        if (pts === packets[missing]) continue;
        const result = gate.push(pts < 31 ? raw(pts) : undefined);
        passed.push(...result.frames.map((frame) => frame.pts));
        hole = result.hole;
      }
      expect(hole).toBe(true);
      expect(passed).toHaveLength(missing - 2);
      for (const pts of passed) expect(packets.indexOf(pts)).toBeLessThan(missing);
    }
  });

  it("lets all pass where nothing is known of the packets", () => {
    const gate = new Gate([], 3);
    expect(gate.push(raw(5)).frames).toHaveLength(1);
    expect(gate.push(undefined)).toEqual({ frames: [], hole: false });
  });
});
