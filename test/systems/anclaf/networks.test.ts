import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { withBackend } from "../../../src/compile/backends.ts";
import { registerGradients } from "../../../src/compile/gradients.ts";
import { compile, type Engine } from "../../../src/compile/index.ts";
import { initialise } from "../../../src/nn/init.ts";
import { leakyRelu } from "../../../src/nn/layers.ts";
import { disposeParameters, toParameters } from "../../../src/nn/parameters.ts";
import { count, type ParameterSpec, type Weights } from "../../../src/nn/weights.ts";
import { combiner, combinerParameters, featureSize } from "../../../src/systems/anclaf/combiner.ts";
import { encoder } from "../../../src/systems/anclaf/encoder.ts";
import {
  discriminator,
  discriminatorParameters,
  generator,
  generatorParameters,
  zq,
} from "../../../src/systems/anclaf/networks.ts";
import { type AnclafSizes, presets, ZQ_FORMS, zqShape } from "../../../src/systems/anclaf/presets.ts";
import { quadrantOf } from "../../../src/systems/anclaf/quadrants.ts";
import { formulaPixels, formulaWeights } from "./formula.ts";
import oracle from "./oracle.json" with { type: "json" };

const tiny: AnclafSizes = oracle.tiny.sizes;
const specsOf = (sizes: AnclafSizes) => [
  ...generatorParameters(sizes),
  ...discriminatorParameters(sizes),
  ...combinerParameters(sizes, "onehot"),
];

describe("sizes", () => {
  test("the paper's totals", () => {
    expect(count(generatorParameters(presets.paper))).toBe(456_864);
    expect(count(discriminatorParameters(presets.paper))).toBe(2_808_048);
    expect(count(combinerParameters(presets.paper, "none"))).toBe(11_210_690);
    expect(count(combinerParameters(presets.paper, "index"))).toBe(11_211_714);
    expect(count(combinerParameters(presets.paper, "onehot"))).toBe(11_214_786);
    expect(count(combinerParameters({ ...presets.paper, combiner: 16 }, "index"))).toBe(713_970);
    expect(featureSize(presets.paper)).toBe(1024);
    expect(zqShape(presets.paper, "onehot")).toEqual([68, 32, 32]);
    expect(zqShape(presets.paper, "index")).toEqual([65, 32, 32]);
    expect(zqShape(presets.paper, "none")).toEqual([64, 32, 32]);
  });

  test("the small preset's totals", () => {
    expect(count(generatorParameters(presets.small))).toBe(456_864);
    expect(count(discriminatorParameters(presets.small))).toBe(703_984);
    expect(count(combinerParameters(presets.small, "onehot"))).toBe(723_938);
    expect(featureSize(presets.small)).toBe(256);
    expect(zqShape(presets.small, "none")).toEqual([64, 16, 16]);
  });

  test("names and shapes are those of the PyTorch modules", () => {
    for (const { sizes, parameters } of [oracle.tiny, oracle.paper])
      expect(specsOf(sizes).map(({ name, shape }) => [name, [...shape]])).toEqual(parameters);
  });
});

describe.each(["js", "onnx"] as const)("against PyTorch, engine %s", (engine) => {
  test.each(["tiny", "paper"] as const)("%s", { timeout: 120_000 }, async (name) => {
    const { sizes, batch, stride, outputs } = oracle[name];
    const pixels = formulaPixels(batch, sizes.image);
    const found = await run(sizes, formulaWeights(specsOf(sizes)), pixels, batch, engine);
    for (const [key, { shape, values }] of Object.entries(outputs)) {
      const { data, shape: given } = found[key]!;
      expect(given, key).toEqual(shape);
      const strided = values.map((_, i) => data[i * stride]!);
      expect(relative(strided, values), key).toBeLessThan(1e-4);
    }
  });
});

describe("one image", () => {
  test("each channel's spatial mean of Z is the last norm's shift", async () => {
    const weights = formulaWeights(specsOf(tiny));
    const { z } = await run(tiny, weights, formulaPixels(2, 16), 2);
    const shift = weights.get("generator.r3.norm2.bias")!.data;
    for (let i = 0; i < 2 * 12; i++) {
      const plane = (z!.data as Float32Array).slice(i * 16, i * 16 + 16);
      expect(plane.reduce((sum, x) => sum + x, 0) / 16).toBeCloseTo(shift[i % 12]!, 5);
    }
  });

  test("alone it gives what it gives in a batch", async () => {
    const weights = formulaWeights(specsOf(tiny));
    const pixels = formulaPixels(3, 16);
    const together = await run(tiny, weights, pixels, 3);
    const alone = await run(tiny, weights, pixels.slice(16 * 16 * 3, 2 * 16 * 16 * 3), 1);
    for (const [key, { data }] of Object.entries(alone))
      expect(data, key).toEqual(together[key]!.data.slice(data.length, 2 * data.length));
  });
});

describe("ZQ", () => {
  const logits = [0.5, -1, 2, 0.25, 3, 0, -2, 1];
  const z = Float32Array.from({ length: 2 * 2 * 3 * 5 }, (_, i) => i / 7);

  test.each(ZQ_FORMS)("%s: Z, then constant planes", (form) => {
    const shape: [number, number, number, number] = [2, 2, 3, 5];
    const joined = withBackend("cpu", () =>
      tf.tidy(() => zq(tf.tensor4d(z, shape), tf.tensor2d(logits, [2, 4]), form).arraySync()),
    );
    const planes = { onehot: 4, index: 1, none: 0 }[form];
    for (const b of [0, 1]) {
      const own = logits.slice(b * 4, b * 4 + 4);
      const sum = own.reduce((s, x) => s + Math.exp(x), 0);
      const expected = form === "onehot" ? own.map((x) => Math.exp(x) / sum) : form === "index" ? [[2, 0][b]!] : [];
      for (const y of [0, 1])
        for (const x of [0, 1, 2]) {
          const pixel = joined[b]![y]![x]!;
          expect(pixel).toHaveLength(5 + planes);
          expect(pixel.slice(0, 5)).toEqual(
            Array.from(z.slice(((b * 2 + y) * 3 + x) * 5, ((b * 2 + y) * 3 + x) * 5 + 5)),
          );
          pixel.slice(5).forEach((p, i) => {
            expect(p).toBeCloseTo(expected[i]!, 6);
          });
        }
    }
  });

  test("the encoder gives ZQ channel-first, whose last planes are q", async () => {
    const parameters = toParameters(formulaWeights(specsOf(tiny)));
    await using compiled = compile(encoder(parameters, tiny, "onehot"), { name: "tiny", engine: "js" });
    const { z, q } = await compiled.run({ pixels: { data: formulaPixels(2, 16), shape: [2, 16, 16, 3] } });
    expect(z!.shape).toEqual([2, 16, 4, 4]);
    for (const b of [0, 1])
      for (const i of [0, 1, 2, 3]) {
        const plane = z!.data.slice((b * 16 + 12 + i) * 16, (b * 16 + 13 + i) * 16);
        expect(new Set(plane)).toEqual(new Set([q!.data[b * 4 + i]]));
      }
    expect(relative(q!.data, oracle.tiny.outputs.q.values)).toBeLessThan(1e-4);
    expect(relative(z!.data.slice(0, 12 * 16), oracle.tiny.outputs.z.values.slice(0, 12 * 16))).toBeLessThan(1e-4);
    disposeParameters(parameters);
  });

  test("quadrants: 0 V+A+, 1 V−A+, 2 V−A−, 3 V+A−; the middle counts as high", () => {
    expect([quadrantOf(0.1, 0.9), quadrantOf(-0.1, 0.9), quadrantOf(-0.1, -0.9), quadrantOf(0.1, -0.9)]).toEqual([
      0, 1, 2, 3,
    ]);
    expect(quadrantOf(0, 0)).toBe(0);
    expect([quadrantOf(0.5, 0.4, 0.5), quadrantOf(0.4, 0.5, 0.5)]).toEqual([3, 1]);
  });
});

test("leaky ReLU has the gradient of a gradient, f′(x)²", () => {
  registerGradients();
  const x = [-2, -0.5, 0, 0.5, 3, 1, -1, 4];
  const found = withBackend("cpu", () =>
    tf.tidy(() => {
      const first = tf.grad((y) => tf.mul(tf.sum(tf.square(leakyRelu(y as tf.Tensor4D))), 0.5));
      return tf
        .grad((y) => tf.sum(first(y)))(tf.tensor4d(x, [1, 2, 2, 2]))
        .dataSync();
    }),
  );
  expect(Array.from(found, (v) => Number(v.toPrecision(4)))).toEqual(x.map((v) => (v > 0 ? 1 : 1e-4)));
});

test("the same seed gives the same bytes, another seed others, and each within its bound", () => {
  const specs: ParameterSpec[] = specsOf(tiny);
  const [a, b, c] = [initialise(specs, 5), initialise(specs, 5), initialise(specs, 6)];
  expect(a).toEqual(b);
  for (const { name, shape, start } of specs) {
    const { data } = a.get(name)!;
    expect(data).toHaveLength(shape.reduce((n, m) => n * m, 1));
    if (typeof start === "string") expect(new Set(data)).toEqual(new Set([start === "ones" ? 1 : 0]));
    else {
      expect(data).not.toEqual(c.get(name)!.data);
      const bound = 1 / Math.sqrt(start.uniform.fanIn);
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(new Set(data).size, name).toBeGreaterThan(data.length / 2);
    }
  }
  // Every parameter has its own stream: leaving one out changes no other.
  const fewer = initialise(specs.slice(1), 5);
  for (const { name } of specs.slice(1)) expect(fewer.get(name)).toEqual(a.get(name));
});

/** All named outputs of G, of D on G's reconstruction and of C on both, channel-first as PyTorch gives them. */
async function run(sizes: AnclafSizes, weights: Weights, pixels: Uint8Array, batch: number, engine: Engine = "js") {
  const parameters = toParameters(weights);
  const first = (x: tf.Tensor) => tf.transpose(x, [0, 3, 1, 2]);
  const program = ({ pixels }: Record<string, tf.Tensor>) => {
    const { z, reconstruction } = generator(parameters, tf.sub(tf.div(pixels!, 127.5), 1));
    const { score, logits } = discriminator(parameters, sizes, reconstruction);
    const { feature, affect } = combiner(parameters, zq(z, logits, "onehot"));
    const images = { z: first(z), reconstruction: first(reconstruction), score: first(score) };
    return { ...images, logits, q: tf.softmax(logits), feature, affect };
  };
  await using compiled = compile(program, { name: "anclaf", engine });
  const outputs = await compiled.run({ pixels: { data: pixels, shape: [batch, sizes.image, sizes.image, 3] } });
  disposeParameters(parameters);
  return outputs;
}

function relative(found: ArrayLike<number>, expected: readonly number[]): number {
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(found[i]! - value))) / scale;
}
