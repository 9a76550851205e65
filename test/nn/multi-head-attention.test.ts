import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { registerGradients } from "../../src/compile/index.ts";
import { initialise } from "../../src/nn/init.ts";
import { multiHeadAttention, multiHeadAttentionParameters } from "../../src/nn/multi-head-attention.ts";
import { scope } from "../../src/nn/parameters.ts";
import { count } from "../../src/nn/weights.ts";
import { againstPyTorch, readCases } from "./oracle.ts";
import { floats, hasGradient, nearly } from "./sequences.ts";

registerGradients();
let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

const NAMES = multiHeadAttentionParameters("a", 6).map(({ name }) => name.slice(2));
const layerOf = (given: Record<string, tf.Tensor>) =>
  scope(new Map(NAMES.map((name) => [`a.${name}`, given[name]!])), "a");

againstPyTorch(
  readCases(new URL("./norms-attention.json", import.meta.url), (name) => name.startsWith("attention")),
  (given) => {
    const { query, key, value } = given as Record<string, tf.Tensor3D>;
    const padding = given.padding && (tf.cast(given.padding, "bool") as tf.Tensor2D);
    const { output, attention } = multiHeadAttention({ query: query!, key: key!, value: value! }, layerOf(given), {
      heads: 2,
      padding,
    });
    return { output, attention };
  },
);

describe("a layer", () => {
  const [batch, length, keys, width] = [2, 3, 5, 6];
  const given = () => ({
    query: tensor(1, [batch, length, width]),
    key: tensor(2, [batch, keys, width]),
    value: tensor(3, [batch, keys, width]),
  });
  const weights = () =>
    Object.fromEntries(
      multiHeadAttentionParameters("a", width).map(({ name, shape }, i) => [
        name.slice(2),
        tensor(10 + i, shape) as tf.Tensor,
      ]),
    );
  const layer = () => layerOf(weights());

  test("has PyTorch's number of parameters, and starts with biases of 0", () => {
    const specs = multiHeadAttentionParameters("a", 256);
    expect(count(specs)).toBe(263_168);
    expect(initialise(specs, 1).get("a.in_proj_bias")!.data).toEqual(new Float32Array(768));
  });

  test.each([1, 2, 3, 6])("with %i heads is the slow loop over samples, heads and queries", (heads) => {
    inJs(() => {
      const size = width / heads;
      const { output, attention } = multiHeadAttention(given(), layer(), { heads });
      const project = (x: tf.Tensor3D, which: number) => {
        const rows = tf.slice(weights().in_proj_weight!, [which * width, 0], [width, width]).arraySync() as number[][];
        const bias = tf.slice(weights().in_proj_bias!, [which * width], [width]).arraySync() as number[];
        return x.arraySync().map((sample) => sample.map((v) => rows.map((row, o) => dot(row, v) + bias[o]!)));
      };
      const { query, key, value } = given();
      const [q, k, v] = [project(query, 0), project(key, 1), project(value, 2)];
      const mean: number[] = [];
      const found: number[] = [];
      for (let b = 0; b < batch; b++)
        for (let l = 0; l < length; l++) {
          const joined: number[] = [];
          const average = new Array<number>(keys).fill(0);
          for (let h = 0; h < heads; h++) {
            const own = (row: number[]) => row.slice(h * size, (h + 1) * size);
            const scores = k[b]!.map((row) => Math.exp(dot(own(q[b]![l]!), own(row)) / Math.sqrt(size)));
            const sum = scores.reduce((a, x) => a + x, 0);
            scores.forEach((score, s) => {
              average[s]! += score / sum / heads;
            });
            for (let d = 0; d < size; d++)
              joined.push(
                dot(
                  scores.map((score) => score / sum),
                  v[b]!.map((row) => own(row)[d]!),
                ),
              );
          }
          mean.push(...average);
          const out = weights()["out_proj.weight"]!.arraySync() as number[][];
          const bias = weights()["out_proj.bias"]!.arraySync() as number[];
          found.push(...out.map((row, o) => dot(row, joined) + bias[o]!));
        }
      nearly(output, { shape: [batch, length, width], values: found }, 1e-5);
      nearly(attention, { shape: [batch, length, keys], values: mean }, 1e-5);
    });
  });

  test("a sample alone is answered as among others; padding is as if it were not there", () => {
    inJs(() => {
      const padding = tf.tensor2d(
        [
          [0, 1, 0, 0, 1],
          [0, 0, 0, 0, 0],
        ],
        undefined,
        "bool",
      );
      const all = multiHeadAttention(given(), layer(), { heads: 2, padding });
      const short = Object.fromEntries(
        Object.entries(given()).map(([name, x]) => {
          const one = tf.slice(x, [0, 0, 0], [1, -1, -1]);
          return [name, name === "query" ? one : tf.gather(one, [0, 2, 3], 1)];
        }),
      ) as ReturnType<typeof given>;
      const alone = multiHeadAttention(short, layer(), { heads: 2 });
      nearly(alone.output, tf.slice(all.output, [0, 0, 0], [1, -1, -1]), 1e-6);
      nearly(alone.attention, tf.gather(tf.slice(all.attention, [0, 0, 0], [1, -1, -1]), [0, 2, 3], 2), 1e-6);
      expect([...tf.slice(all.attention, [0, 0, 1], [1, -1, 1]).dataSync()]).toEqual([0, 0, 0]);
      nearly(tf.sum(all.attention, 2), tf.ones([batch, length]), 1e-6);
    });
  });

  test("keys in another order are the same; queries in another order come out in it", () => {
    inJs(() => {
      const { query, key, value } = given();
      const plain = multiHeadAttention({ query, key, value }, layer(), { heads: 3 });
      const order = [3, 0, 4, 2, 1];
      const turned = multiHeadAttention(
        { query: tf.gather(query, [2, 0, 1], 1), key: tf.gather(key, order, 1), value: tf.gather(value, order, 1) },
        layer(),
        { heads: 3 },
      );
      nearly(turned.output, tf.gather(plain.output, [2, 0, 1], 1), 1e-6);
      nearly(turned.attention, tf.gather(tf.gather(plain.attention, [2, 0, 1], 1), order, 2), 1e-6);
    });
  });

  test("where every key is padding, the output is the bias, and the gradient is finite", () => {
    inJs(() => {
      const padding = tf.tensor2d(
        [
          [1, 1, 1, 1, 1],
          [0, 0, 1, 0, 0],
        ],
        undefined,
        "bool",
      );
      const { output, attention } = multiHeadAttention(given(), layer(), { heads: 2, padding });
      const bias = weights()["out_proj.bias"]!;
      nearly(tf.slice(output, [0, 0, 0], [1, -1, -1]), tf.broadcastTo(bias, [1, length, width]), 1e-7);
      expect(tf.max(tf.slice(attention, [0, 0, 0], [1, -1, -1])).dataSync()[0]).toBe(0);
      const inputs = [...Object.values(given()), ...Object.values(weights())];
      const loss = (...list: tf.Tensor[]) => {
        const [query, key, value, ...rest] = list as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, ...tf.Tensor[]];
        const own = layerOf(Object.fromEntries(NAMES.map((name, i) => [name, rest[i]!])));
        return tf.sum(
          tf.square(multiHeadAttention({ query, key, value }, own, { heads: 2, padding }).output),
        ) as tf.Scalar;
      };
      hasGradient(loss, inputs, 1e-2);
    });
  });

  test("dropout multiplies the weights that values are taken with, not those that are told", () => {
    inJs(() => {
      const plain = multiHeadAttention(given(), layer(), { heads: 2 });
      const whole = multiHeadAttention(given(), layer(), { heads: 2, dropout: tf.ones([batch, 2, length, keys]) });
      nearly(whole.output, plain.output, 0);
      const none = multiHeadAttention(given(), layer(), { heads: 2, dropout: tf.zeros([batch, 2, length, keys]) });
      nearly(none.output, tf.broadcastTo(weights()["out_proj.bias"]!, [batch, length, width]), 1e-7);
      nearly(none.attention, plain.attention, 0);
    });
  });

  test("heads that do not divide the width are refused", () => {
    inJs(() => {
      expect(() => multiHeadAttention(given(), layer(), { heads: 4 })).toThrow("6 numbers cannot be shared among 4");
    });
  });
});

const tensor = (stream: number, shape: readonly number[]) =>
  tf.tensor([...floats(stream, shape)], shape as [number, number, number]) as tf.Tensor3D;
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

function inJs(body: () => void): void {
  withBackend("cpu", () =>
    tf.tidy(() => {
      body();
    }),
  );
}
