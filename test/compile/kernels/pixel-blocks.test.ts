import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { withBackend } from "../../../src/compile/backends.ts";
import { compile } from "../../../src/compile/index.ts";
import { countOps } from "../../../src/compile/onnx.ts";

const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  height: fc.integer({ min: 5, max: 10 }),
  width: fc.integer({ min: 5, max: 10 }),
  cin: fc.integer({ min: 1, max: 3 }),
  cout: fc.integer({ min: 1, max: 4 }),
  kernel: fc.integer({ min: 5, max: 7 }),
  pad: fc.constantFrom("same" as const, "valid" as const, 0, 1, 3),
});

test("wide kernels to few channels give what the reference gives, in blocks of pixels where the size is even", async () => {
  let blocked = 0;
  await fc.assert(
    fc.asyncProperty(shapes, async ({ batch, height, width, cin, cout, kernel, pad }) => {
      const least = typeof pad === "number" ? 2 * pad : 0;
      fc.pre(pad === "same" || Math.min(height, width) + least >= kernel);
      const x = { data: waves(batch * height * width * cin, 0.7), shape: [batch, height, width, cin] };
      const filter = withBackend("cpu", () =>
        tf.tensor4d(waves(kernel * kernel * cin * cout, 1.3), [kernel, kernel, cin, cout]),
      );
      const program = ({ x }: Record<string, tf.Tensor>) => ({ y: tf.conv2d(x as tf.Tensor4D, filter, 1, pad) });
      await using fast = compile(program, { name: "blocks", engine: "onnx" });
      await using reference = compile(program, { name: "blocks", engine: "js" });
      const [found, expected] = [await fast.run({ x }), await reference.run({ x })];
      expect(found.y!.shape).toEqual(expected.y!.shape);
      const worst = Math.max(...expected.y!.data.map((value, i) => Math.abs(value - found.y!.data[i]!)));
      expect(worst).toBeLessThan(1e-4);
      const even = expected.y!.shape[1]! % 2 === 0 && expected.y!.shape[2]! % 2 === 0;
      const ops = countOps(fast.toOnnx({ x: { shape: x.shape, dtype: "float32" } }));
      expect(ops.DepthToSpace ?? 0).toBe(even ? 1 : 0);
      blocked += even ? 1 : 0;
      filter.dispose();
    }),
    { numRuns: 40 },
  );
  expect(blocked).toBeGreaterThan(0);
});

function waves(length: number, step: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * step + i * i * 0.01));
}
