import { getActiveResourcesInfo } from "node:process";
import { Worker } from "node:worker_threads";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test, vi } from "vitest";
import { compile, openOnnx, type Program } from "../../src/compile/index.ts";
import { PipeError } from "../../src/errors.ts";

const slow: Program = ({ x }) => {
  let y = x!;
  for (let i = 0; i < 20; i++) y = tf.tanh(tf.matMul(y, x!));
  return { y };
};
const matrix = (side: number) => ({ data: new Float32Array(side * side).fill(0.01), shape: [side, side] });
const ports = () => getActiveResourcesInfo().filter((name) => name === "MessagePort").length;

test("dispose waits for what is under way, ends the thread, and may be called twice", async () => {
  const before = ports();
  const compiled = compile(slow, { name: "slow", engine: "onnx" });
  const runs = [compiled.run({ x: matrix(200) }), compiled.run({ x: matrix(200) })];
  await Promise.race([runs[0], new Promise((resolve) => setTimeout(resolve, 1))]);
  await Promise.all([runs[0], runs[1]]);
  const last = compiled.run({ x: matrix(200) });
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([compiled.dispose(), compiled.dispose()]);
  expect((await last).y!.shape).toEqual([200, 200]);
  await expect(compiled.run({ x: matrix(2) })).rejects.toThrow(/slow was run after it was disposed/);
  expect(ports()).toBe(before);
});

test("a function never run starts no thread", async () => {
  const before = ports();
  const compiled = compile(slow, { name: "slow", engine: "onnx" });
  expect(ports()).toBe(before);
  await compiled.dispose();
});

test("when the thread dies, whatever waits is rejected and says so", async () => {
  const posted = vi.spyOn(Worker.prototype, "postMessage");
  const compiled = compile(slow, { name: "slow", engine: "onnx" });
  await compiled.run({ x: matrix(2) });
  const worker = posted.mock.contexts[0] as Worker;
  posted.mockRestore();
  // Not in the middle of a run: ONNX Runtime takes the whole process along when its thread is cut off in native code.
  const ended = worker.terminate();
  const settled = await Promise.allSettled([compiled.run({ x: matrix(3) }), compiled.run({ x: matrix(4) })]);
  await ended;
  for (const result of settled) {
    expect(result.status).toBe("rejected");
    expect((result as PromiseRejectedResult).reason).toBeInstanceOf(PipeError);
    expect(String((result as PromiseRejectedResult).reason)).toMatch(/slow (cannot go on|was used after)/);
  }
  await expect(compiled.run({ x: matrix(2) })).rejects.toThrow(PipeError);
  await compiled.dispose();
});

test("a run that fails leaves the session usable", async () => {
  const file = compile(slow, { name: "slow" }).toOnnx({ x: { shape: [3, 3], dtype: "float32" } });
  await using model = await openOnnx(file);
  await expect(model.run({ x: matrix(2) })).rejects.toThrow(/\[3, 3\] is needed/);
  expect((await model.run({ x: matrix(3) })).y!.shape).toEqual([3, 3]);
});
