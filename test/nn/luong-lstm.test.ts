import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withBackend } from "../../src/compile/backends.ts";
import { compile, registerGradients } from "../../src/compile/index.ts";
import type { AttentiveLstmOptions } from "../../src/nn/attentive-lstm.ts";
import { type LstmWeights, lstm } from "../../src/nn/lstm.ts";
import { type LuongWeights, luongLstm, luongParameters } from "../../src/nn/luong-lstm.ts";
import { count } from "../../src/nn/weights.ts";
import { type Case, feed, floats, hasGradient, nearly, WEIGHTS, weighted } from "./sequences.ts";

const oracle = JSON.parse(readFileSync(new URL("./luong-lstm.json", import.meta.url), "utf8")) as Case;
const [batch, time, features, units] = [3, 5, 4, 2];
registerGradients();

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

test.each(["js", "onnx"] as const)("against PyTorch, engine %s", async (engine) => {
  const { inputs, scales, outputs, gradients } = oracle;
  const names = Object.keys(inputs);
  await using compiled = compile(
    (given) => {
      const run = (...list: tf.Tensor[]) => cell(Object.fromEntries(names.map((name, i) => [name, list[i]!])));
      const grads = tf.grads((...list) => weighted({ h: run(...list).h }, scales))(names.map((name) => given[name]!));
      const { h, states, attention } = run(...names.map((name) => given[name]!));
      const slope = names.map((name, i) => [`d ${name}`, grads[i]!] as const);
      return { h, states, attention: attention!, ...Object.fromEntries(slope) };
    },
    { name: "luong", engine },
  );
  const found = await compiled.run(feed(inputs));
  for (const [name, value] of Object.entries(outputs)) nearly(found[name]!, value, 1e-5, name);
  for (const [name, value] of Object.entries(gradients)) nearly(found[`d ${name}`]!, value, 1e-5, name);
});

test("trained where steps are left out, compiled as op by op", async () => {
  const { scales, inputs } = oracle;
  const names = Object.keys(inputs);
  const program = ({ flags, ...given }: Record<string, tf.Tensor>) => {
    const loss = (...list: tf.Tensor[]) => {
      // Both are made inside, and gone when the gradient is taken.
      const present = tf.cast(flags!, "bool") as tf.Tensor2D;
      const bound = Object.fromEntries(names.map((name, i) => [name, tf.mul(list[i]!, 1.5)]));
      return weighted({ h: cell(bound, { present }).h }, scales);
    };
    const grads = tf.grads(loss)(names.map((name) => given[name]!));
    return Object.fromEntries(names.map((name, i) => [`d ${name}`, grads[i]!]));
  };
  const flags = { shape: [batch, time], data: Int32Array.from([1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1]) };
  await using compiled = compile(program, { name: "luong", engine: "onnx" });
  await using reference = compile(program, { name: "luong", engine: "js" });
  const [found, expected] = [compiled, reference].map((engine) => engine.run({ ...feed(inputs), flags }));
  for (const [name, value] of Object.entries(await expected!)) nearly((await found!)[name]!, value, 1e-5, name);
});

describe("a layer", () => {
  const whole = () =>
    Object.fromEntries(
      Object.entries(oracle.inputs).map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]),
    );
  const part = (x: tf.Tensor, begin: number[], size: number[]) => tf.slice(x, begin, size);

  test("weighs only what came before, and all of it once", () => {
    inJs(() => {
      const weights = cell(whole()).attention!.arraySync();
      for (const rows of weights)
        rows.forEach((row, t) => {
          expect(row.slice(t)).toEqual(new Array(time - t).fill(0));
          expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(t === 0 ? 0 : 1, 6);
        });
    });
  });

  test("has W [2H, 4H] and v [2H] unless told otherwise", () => {
    expect(luongParameters("a", 512).map(({ name, shape }) => [name, shape])).toEqual([
      ["a.W", [1024, 2048]],
      ["a.v", [1024]],
    ]);
    expect(count(luongParameters("a", 3, 5))).toBe(5 * 12 + 5);
  });

  test("looks at the query: another half of W for it is other weights, and has a gradient", () => {
    inJs(() => {
      const given = whole();
      const half = tf.tensor2d([...floats(1, [6, 4])], [6, 4]);
      const moved = cell({ ...given, W: tf.add(given.W!, tf.concat([half, tf.zeros([6, 4])], 1)) });
      const { attention } = cell(given);
      // The second step has but one state to look at; the third is the first that can choose.
      const at = (from: tf.Tensor, t: number) => part(from, [0, t, 0], [batch, 1, time]).dataSync();
      expect(at(moved.attention!, 1)).toEqual(at(attention!, 1));
      const change = at(moved.attention!, 2).map((x, i) => Math.abs(x - at(attention!, 2)[i]!));
      expect(Math.max(...change)).toBeGreaterThan(1e-2);
      const slope = tf
        .grad((W) => tf.sum(tf.square(cell({ ...given, W }).h)))(given.W!)
        .dataSync();
      expect(slope.every((value) => value !== 0)).toBe(true);
    });
  });

  test("without attending is the plain LSTM on zeros for a context", () => {
    inJs(() => {
      const { x, W, v, ...weights } = whole();
      const padded = tf.concat([x!, tf.zeros([batch, time, 2 * units])], 2) as tf.Tensor3D;
      const { h, attention } = cell({ x: x!, W: W!, v: v!, ...weights }, { attend: false });
      const plain = (...list: tf.Tensor[]) => lstm(padded, named(list)).h;
      const own = (...list: tf.Tensor[]) => cell({ x: x!, W: W!, v: v!, ...named(list) }, { attend: false }).h;
      const list = WEIGHTS.map((name) => weights[name]!);
      expect(attention).toBeNull();
      nearly(h, plain(...list), 1e-6);
      const [expected, found] = [plain, own].map((run) => tf.grads((...l) => tf.sum(tf.square(run(...l))))(list));
      expected!.forEach((grad, i) => {
        nearly(found![i]!, grad, 1e-5, WEIGHTS[i]);
      });
    });
  });

  test("gives a sample alone, and a shorter sequence, what it gives them in the whole; in any order", () => {
    inJs(() => {
      const given = whole();
      const all = cell(given);
      const alone = cell({ ...given, x: part(given.x!, [1, 0, 0], [1, 3, features]) });
      nearly(alone.h, part(all.h, [1, 0, 0], [1, 3, units]), 1e-7);
      nearly(alone.attention!, part(all.attention!, [1, 0, 0], [1, 3, 3]), 1e-7);
      const turned = cell({ ...given, x: tf.gather(given.x!, [2, 0, 1]) });
      expect(turned.h.dataSync()).toEqual(tf.gather(all.h, [2, 0, 1]).dataSync());
      const first = cell({ ...given, x: part(given.x!, [0, 0, 0], [batch, 1, features]) });
      nearly(first.h, part(all.h, [0, 0, 0], [batch, 1, units]), 1e-7);
      expect([...first.attention!.dataSync()]).toEqual([0, 0, 0]);
    });
  });

  const flags = [
    [1, 0, 1, 1, 0],
    [0, 0, 1, 0, 1],
    [0, 0, 0, 0, 0],
  ];

  test("passes over steps that are not present: nothing is weighed there, and nothing changes", () => {
    inJs(() => {
      const given = whole();
      const { h, attention } = cell(given, { present: tf.tensor2d(flags, undefined, "bool") });
      flags.slice(0, 2).forEach((row, sample) => {
        const there = row.flatMap((flag, t) => (flag ? [t] : []));
        const own = part(given.x!, [sample, 0, 0], [1, time, features]);
        const short = cell({ ...given, x: tf.gather(own, there, 1) });
        nearly(tf.gather(part(h, [sample, 0, 0], [1, time, units]), there, 1), short.h, 1e-6);
        const weights = part(attention!, [sample, 0, 0], [1, time, time]);
        nearly(tf.gather(tf.gather(weights, there, 1), there, 2), short.attention!, 1e-6);
        row.forEach((flag, i) => {
          if (!flag) expect(Math.max(...part(weights, [0, 0, i], [1, time, 1]).dataSync())).toBe(0);
        });
      });
      expect(part(h, [2, 0, 0], [1, time, units]).dataSync()).toEqual(new Float32Array(time * units));
      expect(part(attention!, [2, 0, 0], [1, time, time]).dataSync()).toEqual(new Float32Array(time * time));
    });
  });

  test.each([[true], [false]])("has the gradient of its outputs where steps are left out, attending: %s", (attend) => {
    inJs(() => {
      const given = whole();
      const present = tf.tensor2d(flags, undefined, "bool");
      const names = ["x", ...(attend ? ["W", "v"] : []), ...WEIGHTS];
      const inputs = names.map((name) => given[name]!);
      const loss = (...list: tf.Tensor[]) => {
        const bound = { ...given, ...Object.fromEntries(names.map((name, i) => [name, list[i]!])) };
        const { h } = cell(bound, { present, attend });
        return tf.sum(tf.mul(h, tf.reshape(tf.sin(tf.range(0, h.size)), h.shape))) as tf.Scalar;
      };
      hasGradient(loss, inputs, 5e-3);
    });
  });

  test("stays finite where scores are far apart, and hands a sole winner's state over whole", () => {
    inJs(() => {
      const given = whole();
      const v = tf.mul(given.v!, 1e4);
      const { h, attention } = cell({ ...given, v });
      const slope = tf.grad((x) => tf.sum(tf.square(cell({ ...given, x, v }).h)))(given.x!);
      for (const tensor of [h, attention!, slope]) expect(tensor.dataSync().every(Number.isFinite)).toBe(true);
      for (const row of attention!.arraySync().map((rows) => rows.at(-1)!)) expect(Math.max(...row)).toBeCloseTo(1, 5);
    });
  });

  test("of no steps says so", () => {
    inJs(() => {
      expect(() => cell({ ...whole(), x: tf.zeros([2, 0, features]) })).toThrow("no steps");
    });
  });
});

const named = (list: readonly tf.Tensor[]) =>
  Object.fromEntries(WEIGHTS.map((name, i) => [name, list[i]!])) as unknown as LstmWeights & Record<string, tf.Tensor>;

function cell(given: Record<string, tf.Tensor>, options?: AttentiveLstmOptions) {
  const score = given as unknown as LuongWeights;
  return luongLstm(given.x as tf.Tensor3D, given as unknown as LstmWeights, score, options);
}

function inJs(body: () => void): void {
  withBackend("cpu", () =>
    tf.tidy(() => {
      body();
    }),
  );
}
