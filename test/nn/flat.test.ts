import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { registerGradients } from "../../src/compile/index.ts";
import { PipeError } from "../../src/errors.ts";
import { differentiate, flatten, parametersOf, unflatten } from "../../src/nn/flat.ts";
import { initialise } from "../../src/nn/init.ts";
import type { ParameterSpec } from "../../src/nn/weights.ts";

const specs: ParameterSpec[] = [
  { name: "conv.weight", shape: [2, 3, 1, 4], start: { uniform: { fanIn: 12 } } },
  { name: "conv.bias", shape: [], start: { uniform: { fanIn: 1 } } },
  { name: "idle", shape: [5], start: "ones" },
  { name: "empty", shape: [0, 3], start: "zeros" },
  { name: "dense.weight", shape: [3, 2], start: { uniform: { fanIn: 3 } } },
];
const weights = initialise(specs, 7);
const vector = flatten(weights, specs);

beforeAll(() => registerGradients());
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));
const onCpu = <T>(body: () => T): T => withBackend("cpu", () => tf.tidy(body as () => never));

test("there and back, bit for bit, in memory of its own", () => {
  expect(vector.length).toBe(36);
  const back = unflatten(vector, specs);
  expect([...back]).toEqual([...weights]);
  expect(back.get("idle")!.data.buffer).not.toBe(vector.buffer);
});

test("another order of weights gives the specs' order; others are refused by name", () => {
  expect(flatten(new Map([...weights].reverse()), specs)).toEqual(vector);
  const wrong = new Map([...weights].filter(([name]) => name !== "idle"));
  expect(() => flatten(wrong, specs, "a.safetensors")).toThrow(PipeError);
  expect(() => flatten(wrong, specs, "a.safetensors")).toThrow(/a\.safetensors does not fit.*\n {2}missing: idle/);
  expect(() => unflatten(vector.slice(1), specs)).toThrow(/35 numbers cannot hold the 36/);
});

test("the same parameters inside a program", () => {
  onCpu(() => {
    const parameters = parametersOf(tf.tensor1d(vector), specs);
    expect([...parameters.keys()]).toEqual(specs.map(({ name }) => name));
    for (const [name, { shape, data }] of weights) {
      expect(parameters.get(name)!.shape).toEqual(shape);
      expect([...parameters.get(name)!.dataSync()]).toEqual([...data]);
    }
    const single = parametersOf(tf.tensor1d([1, 2]), [{ name: "only", shape: [2, 1], start: "ones" }]);
    expect(single.get("only")!.shape).toEqual([2, 1]);
  });
});

test("the gradient is that of each parameter, and 0 for one without influence", () => {
  onCpu(() => {
    const { values, gradient } = differentiate(tf.tensor1d(vector), specs, (parameters) => {
      const squares = tf.sum(tf.square(parameters.get("conv.weight")!));
      const product = tf.mul(parameters.get("conv.bias")!, tf.sum(parameters.get("dense.weight")!));
      return { total: tf.add(squares, product) as tf.Scalar, squares, product };
    });
    const parts = unflatten(gradient.dataSync() as Float32Array, specs);
    const [conv, dense] = [weights.get("conv.weight")!.data, weights.get("dense.weight")!.data];
    parts.get("conv.weight")!.data.forEach((g, i) => {
      expect(g).toBeCloseTo(2 * conv[i]!, 6);
    });
    expect(parts.get("conv.bias")!.data[0]).toBeCloseTo(
      dense.reduce((a, b) => a + b, 0),
      6,
    );
    expect([...parts.get("idle")!.data]).toEqual([0, 0, 0, 0, 0]);
    expect(new Set(parts.get("dense.weight")!.data)).toEqual(new Set(weights.get("conv.bias")!.data));
    const [total, squares, product] = [values.total, values.squares, values.product].map((t) => t.dataSync()[0]!);
    expect(total).toBeCloseTo(squares! + product!, 6);
  });
});

test("a loss may hand back a parameter, or one tensor twice", () => {
  onCpu(() => {
    const { values } = differentiate(tf.tensor1d(vector), specs, (parameters) => {
      const total = tf.sum(parameters.get("idle")!) as tf.Scalar;
      return { total, again: total, idle: parameters.get("idle")! };
    });
    expect([values.total.dataSync()[0], values.again.dataSync()[0], values.idle.dataSync()[3]]).toEqual([5, 5, 1]);
  });
});

test("nested: the gradient of a gradient's length", () => {
  onCpu(() => {
    const point = tf.tensor1d([0.3, -0.2, 0.5]);
    const one: ParameterSpec[] = [{ name: "p", shape: [3], start: "ones" }];
    // |∇ Σ p³|² = Σ 9 p⁴, whose gradient is 36 p³.
    const { gradient } = differentiate(point, one, (outer) => {
      const inner = differentiate(outer.get("p") as tf.Tensor1D, one, (parameters) => {
        const p = parameters.get("p")!;
        return { total: tf.sum(tf.mul(p, tf.square(p))) as tf.Scalar };
      });
      return { total: tf.sum(tf.square(inner.gradient)) as tf.Scalar };
    });
    gradient.dataSync().forEach((g, i) => {
      expect(g).toBeCloseTo(36 * [0.3, -0.2, 0.5][i]! ** 3, 5);
    });
  });
});
