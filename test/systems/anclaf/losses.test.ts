import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { compile, type Engine, registerGradients, type Value } from "../../../src/compile/index.ts";
import { affectLosses } from "../../../src/nn/affect-loss.ts";
import { differentiate, flatten, parametersOf } from "../../../src/nn/flat.ts";
import type { Activation } from "../../../src/nn/layers.ts";
import { metricsOf } from "../../../src/nn/metrics.ts";
import type { ParameterSpec } from "../../../src/nn/weights.ts";
import { combinerParameters } from "../../../src/systems/anclaf/combiner.ts";
import { criticLosses, generatorLosses, gradientPenalty, type Parts } from "../../../src/systems/anclaf/losses.ts";
import { discriminatorParameters, generatorParameters } from "../../../src/systems/anclaf/networks.ts";
import type { AnclafSizes } from "../../../src/systems/anclaf/presets.ts";
import { formulaNumbers, formulaPixels, formulaWeights } from "./formula.ts";
import oracle from "./losses-oracle.json" with { type: "json" };

registerGradients();
const sizes: AnclafSizes = oracle.sizes;
const { batch, stride } = oracle;
const specs: Record<keyof Parts, readonly ParameterSpec[]> = {
  generator: generatorParameters(sizes),
  discriminator: discriminatorParameters(sizes),
  combiner: combinerParameters(sizes, "onehot"),
};
const names = ["generator", "discriminator", "combiner"] as const;
const weights = formulaWeights(names.flatMap((part) => specs[part]));
const vectors = Object.fromEntries(
  names.map((part) => {
    const own = new Map(specs[part].map(({ name }) => [name, weights.get(name)!]));
    const data = flatten(own, specs[part]);
    return [part, { data, shape: [data.length] }];
  }),
);
const image = (stream: number): Value => ({
  data: Float32Array.from(formulaPixels(batch, sizes.image, stream), (x) => (x / 255) * 2 - 1),
  shape: [batch, sizes.image, sizes.image, 3],
});
const signed = (length: number, stream: number) => formulaNumbers(length, stream).map((x) => 2 * x - 1);
const raised = (length: number, stream: number) => formulaNumbers(length, stream).map((x) => 0.5 + x);
const oneHot = [3, 0, 2, 1].flatMap((id) => [0, 1, 2, 3].map((i) => Number(i === id)));
const inputs: Record<string, Value> = {
  clean: image(1000),
  distorted: image(1001),
  labels: { data: signed(2 * batch, 1002), shape: [batch, 2] },
  weights: { data: raised(2 * batch, 1003), shape: [batch, 2] },
  alpha: { data: formulaNumbers(batch, 1004), shape: [batch, 1, 1, 1] },
  quadrant: { data: Float32Array.from(oneHot), shape: [batch, 4] },
};

type Losses = (parts: Parts, given: never) => Record<string, tf.Scalar>;
const critic: Losses = (parts, given) => criticLosses(parts, sizes, given);
const direct: Losses = (parts, given) =>
  generatorLosses(parts, sizes, given, { form: "onehot", reconstruction: "direct" });
const cycle: Losses = (parts, given) => {
  const losses = generatorLosses(parts, sizes, given, { form: "onehot", reconstruction: "cycle" });
  return { reconstruction: losses.reconstruction! };
};

describe("values and gradients are PyTorch's", () => {
  // Uneven weights, so that no loss can stand in for another.
  test.each([
    ["critic", "onnx", critic, ["discriminator"], { real: 1, fake: 2, penalty: 3, quadrant: 4 }],
    ["critic", "js", critic, ["discriminator"], { penalty: 1 }],
    [
      ...(["direct", "onnx", direct, ["generator", "combiner"]] as const),
      { adversarial: 7, reconstruction: 6, quadrant: 5, rmse: 4, cor: 3, ccc: 2, icc: 1 },
    ],
    ["cycle", "onnx", cycle, ["generator"], { reconstruction: 1 }],
  ] as const)(
    "%s, engine %s",
    { timeout: 60_000 },
    async (name, engine, losses, parts, mix: Record<string, number>) => {
      const expected: Record<string, Expected> = oracle[name];
      const found = await differentiated(losses, mix, parts, engine);
      expect(Object.keys(found.values)).toEqual(Object.keys(expected));
      for (const [loss, { value }] of Object.entries(expected)) expect(found.values[loss], loss).toBeCloseTo(value, 4);
      for (const part of parts) {
        const sum = expected[Object.keys(expected)[0]!]!.gradients[part]!.values.map((_, i) =>
          Object.entries(mix).reduce(
            (total, [loss, weight]) => total + weight * expected[loss]!.gradients[part]!.values[i]!,
            0,
          ),
        );
        const largest = Math.max(...sum.map(Math.abs));
        const off = Math.max(...sum.map((x, i) => Math.abs(x - found.gradients[part]![i * stride]!)));
        expect(largest).toBeGreaterThan(0);
        expect(off / largest, part).toBeLessThan(2e-4);
      }
    },
  );
});

interface Expected {
  readonly value: number;
  readonly gradients: Record<string, { norm: number; values: number[] }>;
}

test.each(["index", "none"] as const)("a combiner that reads Q as %s is trained too", async (form) => {
  const own = { ...specs, combiner: combinerParameters(sizes, form) };
  const losses: Losses = (parts, given) => {
    const { ccc } = generatorLosses(parts, sizes, given, { form, reconstruction: "direct" });
    return { ccc: ccc! };
  };
  const { gradients } = await differentiated(losses, { ccc: 1 }, ["generator", "combiner"], "js", own);
  for (const part of ["generator", "combiner"]) expect(Math.hypot(...gradients[part]!), part).toBeGreaterThan(0);
});

describe("the gradient penalty", () => {
  test("of a linear critic is (‖w‖ − 1)², wherever it is looked at", async () => {
    const w = signed(5 * 4 * 3, 3);
    const program = ({ clean, fake, alpha }: Record<string, tf.Tensor>) => ({
      penalty: gradientPenalty(
        (x) => tf.sum(tf.mul(x, tf.tensor(w, [1, 5, 4, 3])), [1, 2, 3]),
        clean as Activation,
        fake as Activation,
        alpha as tf.Tensor4D,
      ),
    });
    await using compiled = compile(program, { name: "penalty", engine: "js" });
    const feed = (stream: number) => ({ data: signed(2 * 60, stream), shape: [2, 5, 4, 3] });
    const { penalty } = await compiled.run({
      clean: feed(4),
      fake: feed(5),
      alpha: { data: Float32Array.of(0.25, 0.75), shape: [2, 1, 1, 1] },
    });
    expect(penalty!.data[0]).toBeCloseTo((Math.hypot(...w) - 1) ** 2, 4);
  });

  test("of a critic without slope is 1, and its gradient finite", async () => {
    const program = ({ x, scale }: Record<string, tf.Tensor>) => {
      const penalty = (s: tf.Tensor) =>
        gradientPenalty((y) => tf.mul(tf.mul(y, y), s), x as Activation, x as Activation, tf.ones([1, 1, 1, 1]));
      return { penalty: penalty(scale!), gradient: tf.grad(penalty)(scale!) };
    };
    await using compiled = compile(program, { name: "flat", engine: "js" });
    const x = { data: signed(12, 6), shape: [1, 2, 2, 3] };
    const { penalty, gradient } = await compiled.run({ x, scale: { data: Float32Array.of(0), shape: [] } });
    expect(penalty!.data[0]).toBeCloseTo(1, 5);
    expect(gradient!.data[0]).toBe(0);
  });
});

describe("the affect loss", () => {
  const n = 7;
  const feeds = {
    p: { data: signed(2 * n, 2001), shape: [n, 2] },
    y: { data: signed(2 * n, 2002), shape: [n, 2] },
    w: { data: raised(2 * n, 2003), shape: [n, 2] },
  };

  test.each(["rmse", "cor", "ccc", "icc"] as const)("%s and its gradient are PyTorch's", async (name) => {
    const { value, gradient } = await affect(name, feeds);
    expect(value).toBeCloseTo(oracle.affect[name].value, 5);
    oracle.affect[name].gradient.forEach((x, i) => {
      expect(gradient[i]).toBeCloseTo(x, 5);
    });
  });

  test("with equal weights its terms are those of the metrics", async () => {
    const w = { data: new Float32Array(2 * n).fill(1), shape: [n, 2] };
    const column = (value: Value, dimension: number) => Array.from(value.data).filter((_, i) => i % 2 === dimension);
    const scores = [0, 1].map((d) => metricsOf(column(feeds.p, d), column(feeds.y, d)));
    for (const name of ["cor", "ccc", "icc"] as const) {
      const { value } = await affect(name, { ...feeds, w });
      expect(value).toBeCloseTo(2 - scores[0]![name] - scores[1]![name], 5);
    }
    expect((await affect("rmse", { ...feeds, w })).value).toBeCloseTo(scores[0]!.rmse + scores[1]!.rmse, 5);
  });

  test.each([
    ["constant predictions", [0.2, 0.2, 0.2, 0.2, 0.2, 0.2], [0.1, 0.5, -0.3, 0.2, 0.7, -0.9]],
    ["constant labels", [0.1, 0.5, -0.3, 0.2, 0.7, -0.9], [0.2, 0.2, 0.2, 0.2, 0.2, 0.2]],
    ["predictions that are right", [0.1, 0.5, -0.3, 0.2, 0.7, -0.9], [0.1, 0.5, -0.3, 0.2, 0.7, -0.9]],
    ["one frame", [0.1, 0.5], [0.3, -0.2]],
  ])("%s: finite values and gradients", async (_, p, y) => {
    const shape = [p.length / 2, 2];
    const given = { p, y, w: p.map(() => 1) };
    const own = Object.fromEntries(
      Object.entries(given).map(([key, data]) => [key, { data: Float32Array.from(data), shape }]),
    );
    for (const name of ["rmse", "cor", "ccc", "icc"] as const) {
      const { value, gradient } = await affect(name, own);
      expect([value, ...gradient].every(Number.isFinite), name).toBe(true);
    }
  });

  async function affect(name: "rmse" | "cor" | "ccc" | "icc", given: Record<string, Value>) {
    const program = ({ p, y, w }: Record<string, tf.Tensor>) => {
      const loss = (x: tf.Tensor) => affectLosses(x as tf.Tensor2D, y as tf.Tensor2D, w as tf.Tensor2D)[name];
      const { value, grad } = tf.valueAndGrad(loss)(p!);
      return { value, grad };
    };
    await using compiled = compile(program, { name: "affect", engine: "js" });
    const { value, grad } = await compiled.run(given);
    return { value: value!.data[0]!, gradient: Array.from(grad!.data) };
  }
});

/** Each loss, and the gradient of Σ mix · loss by each of the parts. */
async function differentiated(
  losses: Losses,
  mix: Readonly<Record<string, number>>,
  parts: readonly (keyof Parts)[],
  engine: Engine,
  own = specs,
): Promise<{ values: Record<string, number>; gradients: Record<string, number[]> }> {
  const feeds: Record<string, Value> = { ...inputs, ...vectors };
  if (own !== specs) {
    const data = flatten(formulaWeights(own.combiner), own.combiner);
    feeds.combiner = { data, shape: [data.length] };
  }
  const trained = parts.flatMap((part) => own[part]);
  const program = (given: Record<string, tf.Tensor>) => {
    const all = Object.fromEntries(names.map((part) => [part, parametersOf(given[part] as tf.Tensor1D, own[part])]));
    const vector = tf.concat(parts.map((part) => given[part] as tf.Tensor1D));
    const { values, gradient } = differentiate(vector, trained, (parameters) => {
      const moving = Object.fromEntries(parts.map((part) => [part, parameters]));
      const found = losses({ ...all, ...moving } as unknown as Parts, given as never);
      const terms = Object.entries(mix).map(([loss, weight]) => tf.mul<tf.Scalar>(found[loss]!, weight));
      return { ...found, total: tf.addN(terms) };
    });
    const named = Object.entries(values).map(([name, value]) => [`loss ${name}`, value]);
    return { ...Object.fromEntries(named), gradient };
  };
  await using compiled = compile(program, { name: "losses", engine });
  const { gradient, "loss total": _, ...values } = await compiled.run(feeds);
  let at = 0;
  const gradients = parts.map((part) => {
    const begin = at;
    at += feeds[part]!.data.length;
    return [part, Array.from(gradient!.data.slice(begin, at))];
  });
  return {
    values: Object.fromEntries(
      Object.entries(values).map(([name, { data }]) => [name.slice("loss ".length), data[0]!]),
    ),
    gradients: Object.fromEntries(gradients),
  };
}
