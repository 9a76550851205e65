import fc from "fast-check";
import { expect, test } from "vitest";
import { dequantise, quantise, Ranges } from "../../src/cache/quantise.ts";

/** Codes and decoded values of latents of `channels` × `per`, one after the other. */
function roundTrip(values: Float32Array, channels: number, per: number) {
  const size = channels * per;
  const count = values.length / size;
  const ranges = new Ranges(channels);
  for (let row = 0; row < count; row++) ranges.add(values.subarray(row * size, (row + 1) * size));
  const code = ranges.quantisation();
  const codes = new Uint8Array(values.length);
  quantise(values, codes, count, size, code);
  const decoded = new Float32Array(values.length + 2);
  dequantise(codes, decoded, 2, count, size, code);
  return { code, decoded: decoded.subarray(2) };
}

test("the error is half a step at most, and the rounding to float32", () => {
  const dims = fc.record({ channels: fc.integer({ min: 1, max: 4 }), per: fc.integer({ min: 1, max: 5 }) });
  const cases = dims.chain(({ channels, per }) =>
    fc.record({
      channels: fc.constant(channels),
      per: fc.constant(per),
      values: fc
        .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 0, maxLength: 60 })
        .map((all) => Float32Array.from(all.slice(0, all.length - (all.length % (channels * per))))),
    }),
  );
  fc.assert(
    fc.property(cases, ({ channels, per, values }) => {
      const { code, decoded } = roundTrip(values, channels, per);
      for (const [i, x] of values.entries()) {
        const c = Math.floor(i / per) % channels;
        const rounding = 2 ** -23 * Math.max(Math.abs(x), Math.abs(code.offset[c]!)) + 1e-44;
        expect(Math.abs(decoded[i]! - x)).toBeLessThanOrEqual(code.scale[c]! / 2 + rounding);
      }
    }),
    { numRuns: 500 },
  );
});

test("a channel that never changes is exact, beside one that does", () => {
  const { decoded, code } = roundTrip(Float32Array.of(0.1, 0.1, -5, 7, 0.1, 0.1, 3, 0), 2, 2);
  expect([decoded[0], decoded[1], decoded[4]]).toEqual([0, 0, 0].map(() => Math.fround(0.1)));
  expect(code.scale[0]).toBe(0);
  expect([decoded[2], decoded[3]]).toEqual([-5, 7]);
});
