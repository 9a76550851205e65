import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { compile, registerGradients } from "../../src/compile/index.ts";
import { countOps } from "../../src/compile/onnx.ts";
import { type LstmOptions, type LstmWeights, lstm, lstmParameters } from "../../src/nn/lstm.ts";
import { count } from "../../src/nn/weights.ts";
import { type Case, feed, floats, hasGradient, nearly, WEIGHTS, weighted } from "./sequences.ts";

const oracle = JSON.parse(readFileSync(new URL("./lstm.json", import.meta.url), "utf8")) as Record<string, Case>;
registerGradients();

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe.each(Object.entries(oracle))("against PyTorch, %s", (_, { inputs, scales, outputs, gradients }) => {
  test.each(["js", "onnx"] as const)("engine %s", async (engine) => {
    const names = Object.keys(inputs);
    await using compiled = compile(
      (given) => {
        const run = (...list: tf.Tensor[]) => layer(Object.fromEntries(names.map((name, i) => [name, list[i]!])));
        const grads = tf.grads((...list) => weighted(run(...list), scales))(names.map((name) => given[name]!));
        const slope = names.map((name, i) => [`d ${name}`, grads[i]!] as const);
        return { ...run(...names.map((name) => given[name]!)), ...Object.fromEntries(slope) };
      },
      { name: "lstm", engine },
    );
    const found = await compiled.run(feed(inputs));
    for (const [name, value] of Object.entries(outputs)) nearly(found[name]!, value, 1e-5, name);
    for (const [name, value] of Object.entries(gradients)) nearly(found[`d ${name}`]!, value, 1e-5, name);
  });
});

describe("a layer", () => {
  const [batch, time, features, units] = [3, 5, 2, 4];
  const weights = (): LstmWeights => {
    const entries = lstmParameters("lstm", features, units).map(({ name, shape }, i) => {
      return [name.slice(5), tf.tensor([...floats(i, shape)], [...shape])] as const;
    });
    return Object.fromEntries(entries) as unknown as LstmWeights;
  };
  const sequence = (n = batch, t = time) => tf.tensor3d([...floats(9, [n, t, features])], [n, t, features]);

  test("has PyTorch's number of parameters", () => {
    expect(count(lstmParameters("lstm", 2048, 512))).toBe(5_246_976);
  });

  test("without a sequence says so", () => {
    inJs(() => expect(() => lstm(sequence(2, 0), weights())).toThrow("no steps"));
  });

  test("gives a sample alone what it gives it among others, and a longer sequence's beginning what it gives that", () => {
    inJs(() => {
      const all = lstm(sequence(), weights()).h;
      const alone = lstm(tf.slice(sequence(), [1, 0, 0], [1, 3, features]), weights()).h;
      nearly(alone, tf.slice(all, [1, 0, 0], [1, 3, units]), 1e-7);
    });
  });

  test("passes a step over that is not present, as if it had not been there", () => {
    const present = [
      [1, 0, 1, 1, 0],
      [0, 0, 1, 0, 1],
      [1, 1, 1, 1, 1],
    ];
    inJs(() => {
      const options = { present: tf.tensor2d(present, undefined, "bool") };
      const { h, last } = lstm(sequence(), weights(), options);
      present.forEach((flags, sample) => {
        const there = flags.flatMap((flag, t) => (flag ? [t] : []));
        const own = tf.gather(tf.slice(sequence(), [sample, 0, 0], [1, -1, -1]), there, 1);
        const short = lstm(own as tf.Tensor3D, weights());
        nearly(tf.gather(tf.slice(h, [sample, 0, 0], [1, -1, -1]), there, 1), short.h, 1e-6);
        nearly(tf.slice(last.c, [sample, 0], [1, -1]), short.last.c, 1e-6);
      });
      const unstepped = tf.slice(h, [0, 1, 0], [1, 1, -1]);
      nearly(unstepped, tf.slice(h, [0, 0, 0], [1, 1, -1]), 0);
      expect(tf.slice(h, [1, 0, 0], [1, 2, -1]).dataSync()).toEqual(new Float32Array(2 * units));
    });
  });

  test.each([
    ["plain", false, false],
    ["with steps left out", true, false],
    ["with steps left out, from a state", true, true],
  ])("has the gradient of its outputs: %s", (_, masked, started) => {
    inJs(() => {
      const present = tf.tensor2d([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0], [batch, time], "bool");
      const states = [tf.tensor2d([...floats(20, [batch, units])], [batch, units]), tf.ones([batch, units])];
      const inputs = [sequence(), ...WEIGHTS.map((name) => weights()[name]), ...(started ? states : [])];
      const loss = (...list: tf.Tensor[]) => {
        const own = Object.fromEntries(WEIGHTS.map((name, i) => [name, list[i + 1]!])) as unknown as LstmWeights;
        const options: LstmOptions = {
          ...(masked && { present }),
          ...(started && { start: { h: list[5] as tf.Tensor2D, c: list[6] as tf.Tensor2D } }),
        };
        const { h, last } = lstm(list[0] as tf.Tensor3D, own, options);
        const parts = [tf.mul(h, tf.reshape(tf.sin(tf.range(0, h.size)), h.shape)), tf.square(last.h), last.c];
        return tf.addN(parts.map((part) => tf.sum(part))) as tf.Scalar;
      };
      hasGradient(loss, inputs, 3e-3);
    });
  });

  test("computes no gradient of its input when none is asked for", async () => {
    const program = ({ x, ...own }: Record<string, tf.Tensor>) => {
      const names = WEIGHTS.map((name) => own[name]!);
      const grads = tf.grads((...list) => {
        const bound = Object.fromEntries(WEIGHTS.map((name, i) => [name, list[i]!])) as unknown as LstmWeights;
        return tf.sum(tf.square(lstm(x as tf.Tensor3D, bound).h));
      })(names);
      return Object.fromEntries(WEIGHTS.map((name, i) => [`d ${name}`, grads[i]!]));
    };
    await using compiled = compile(program, { name: "lstm", engine: "onnx" });
    const shapes = lstmParameters("lstm", features, units).map(({ name, shape }) => [name.slice(5), shape] as const);
    const inputs = [["x", [batch, time, features]] as const, ...shapes].map(
      ([name, shape]) => [name, { shape, dtype: "float32" as const }] as const,
    );
    const ops = countOps(compiled.toOnnx(Object.fromEntries(inputs)));
    // One for the input, one a step but the first, each way, and one for each weight's gradient.
    expect((ops.MatMul ?? 0) + (ops.Gemm ?? 0)).toBe(1 + 2 * (time - 1) + 2);
    expect(ops.Transpose).toBeUndefined();
  });
});

function layer(given: Record<string, tf.Tensor>): Record<string, tf.Tensor> {
  const start = given.h0 && { h: given.h0 as tf.Tensor2D, c: given.c0 as tf.Tensor2D };
  const { h, last } = lstm(given.x as tf.Tensor3D, given as unknown as LstmWeights, { start });
  return { h, lastH: last.h, lastC: last.c };
}

function inJs(body: () => void): void {
  withBackend("cpu", () =>
    tf.tidy(() => {
      body();
    }),
  );
}
