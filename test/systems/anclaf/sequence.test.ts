import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compile, registerGradients, type Value } from "../../../src/compile/index.ts";
import { differentiate, flatten, unflatten } from "../../../src/nn/flat.ts";
import { initialise } from "../../../src/nn/init.ts";
import { disposeParameters, toParameters } from "../../../src/nn/parameters.ts";
import { count, type Weights } from "../../../src/nn/weights.ts";
import { presets, ZQ_FORMS } from "../../../src/systems/anclaf/presets.ts";
import {
  type SequenceOptions,
  sequenceCombiner,
  sequenceHead,
  sequenceHeadParameters,
  sequenceParameters,
  sequenceUnits,
  withFreshAttention,
} from "../../../src/systems/anclaf/sequence.ts";
import { feed, floats, nearly, type Stored } from "../../nn/sequences.ts";

const oracle = JSON.parse(readFileSync(new URL("./sequence.json", import.meta.url), "utf8")) as {
  parameters: Record<string, Stored>;
  zq: Stored;
  labels: Stored;
  concat: Record<string, Stored>;
} & Record<"S" | "SA" | "SA-concat", { outputs: Record<string, Stored>; gradients: Record<string, Stored> }>;
// Not a preset's: a feature of 6 numbers and 3 units, from ZQ of 4×4 with 5 channels.
const tiny = { image: 16, generator: 1, discriminator: 1, depth: 2, combiner: 3 };
const weightsOf = (stored: Record<string, Stored>): Weights =>
  new Map(Object.entries(feed(stored)).map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]));
registerGradients();

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe("sizes", () => {
  test("the paper's totals, with each form of Q", () => {
    expect(ZQ_FORMS.map((form) => count(sequenceParameters(presets.paper, form)))).toEqual([
      16_462_787, 16_459_715, 16_458_691,
    ]);
    // W [1024, 2048] and v [1024] instead of 2048 weights and a bias.
    expect(count(sequenceParameters(presets.paper, "onehot", "concat"))).toBe(16_462_787 - 2049 + 1024 * 2048 + 1024);
    expect(sequenceUnits(presets.paper)).toBe(512);
  });

  test("the small preset has the same parts", () => {
    const names = (preset: "paper" | "small") => sequenceParameters(presets[preset], "onehot").map(({ name }) => name);
    // Its Z is half as wide, so its encoder is one convolution shorter.
    expect(names("small")).toEqual(names("paper").filter((name) => !name.startsWith("combiner.c5.")));
    expect(sequenceUnits(presets.small)).toBe(128);
  });

  test("names and shapes are those of the PyTorch module", () => {
    const specs = sequenceParameters(tiny, "index").map(({ name, shape }) => [name, [...shape]]);
    expect(specs).toEqual(Object.entries(oracle.parameters).map(([name, { shape }]) => [name, shape]));
  });
});

describe.each(["S", "SA", "SA-concat"] as const)("C-%s against PyTorch", (variant) => {
  test.each(["js", "onnx"] as const)("engine %s", async (engine) => {
    const attention = variant === "SA-concat" ? "concat" : "location";
    const specs = sequenceParameters(tiny, "index", attention);
    const attend = variant !== "S";
    const options = { attend, attention } as const;
    const parameters = Object.fromEntries(
      specs.map(({ name }) => [name, (attention === "concat" && oracle.concat[name]) || oracle.parameters[name]!]),
    );
    await using compiled = compile(
      ({ zq, labels, vector }) => {
        const { values, gradient } = differentiate(vector as tf.Tensor1D, specs, (parameters) => {
          const { attention, ...out } = sequenceCombiner(parameters, zq as tf.Tensor5D, options);
          const total = tf.mean(tf.square(tf.sub(out.affect, labels!))) as tf.Scalar;
          return { ...out, ...(attention && { attention }), total };
        });
        return { ...values, gradient };
      },
      { name: "sequence", engine },
    );
    const { outputs, gradients } = oracle[variant];
    const { zq, labels } = feed({ zq: oracle.zq, labels: oracle.labels });
    const vector: Value = { shape: [count(specs)], data: flatten(weightsOf(parameters), specs) };
    const found = await compiled.run({ zq: zq!, labels: labels!, vector });
    for (const [name, value] of Object.entries(outputs))
      nearly(found[name === "loss" ? "total" : name]!, value, 1e-5, name);
    for (const [name, { shape, data }] of unflatten(found.gradient!.data as Float32Array, specs))
      nearly({ shape, data }, gradients[name]!, 1e-5, name);
    expect("attention" in found).toBe(attend);
  });
});

describe.each(["js", "onnx"] as const)("windows of cached features, engine %s", (engine) => {
  const [batch, n] = [3, 6];
  const features: Value = { shape: [batch, n, 6], data: Float32Array.from(floats(3, [batch, n, 6])) };
  const fresh = initialise(sequenceHeadParameters(tiny), 4);

  async function run(weights: Weights, feeds: Record<string, Value>, options: SequenceOptions = {}) {
    const parameters = toParameters(weights);
    await using compiled = compile(
      ({ features, present }) => {
        const given = present && tf.cast(present, "bool");
        const { attention, ...out } = sequenceHead(parameters, features as tf.Tensor3D, {
          ...options,
          present: given as tf.Tensor2D | undefined,
        });
        return { affect: out.affect, states: out.states, ...(attention && { attention }) };
      },
      { name: "sequence", engine },
    );
    try {
      return await compiled.run(feeds);
    } finally {
      disposeParameters(parameters);
    }
  }

  test("C-S becomes C-SA without a change, until it is trained on", async () => {
    const ready = withFreshAttention(fresh, tiny);
    const [s, sa, ours] = [
      await run(fresh, { features }, { attend: false }),
      await run(ready, { features }),
      await run(fresh, { features }),
    ];
    nearly(sa.affect!, s.affect!, 1e-7);
    expect(Math.max(...ours.affect!.data.map((x, k) => Math.abs(x - s.affect!.data[k]!)))).toBeGreaterThan(1e-3);
    expect([...ready.keys()]).toEqual([...fresh.keys()]);
    const concat = withFreshAttention(fresh, tiny, { attention: "concat", seed: 6 });
    expect([...concat.keys()].sort()).toEqual(
      sequenceHeadParameters(tiny, "concat")
        .map(({ name }) => name)
        .sort(),
    );
    const luong = await run(concat, { features }, { attention: "concat" });
    expect(luong.affect!.data).toEqual(s.affect!.data);
    expect(luong.attention!.data).not.toEqual(sa.attention!.data);
    const other = withFreshAttention(fresh, tiny, { attention: "concat", seed: 7 });
    expect(other.get("combiner.attention.v")!.data).not.toEqual(concat.get("combiner.attention.v")!.data);
  });

  test("a frame's answer hangs on no other window and no later frame", async () => {
    const all = await run(fresh, { features });
    const rows = [1, 0, 2];
    const one = (k: number, length: number): Value => ({
      shape: [1, length, 6],
      data: (features.data as Float32Array).slice(k * n * 6, k * n * 6 + length * 6),
    });
    const turned: Value = {
      shape: features.shape,
      data: Float32Array.from(rows.flatMap((k) => [...one(k, n).data])),
    };
    const again = await run(fresh, { features: turned });
    for (const [name, width] of [
      ["affect", n * 2],
      ["attention", n * n],
    ] as const) {
      const of = (value: Value, k: number) => value.data.slice(k * width, (k + 1) * width);
      rows.forEach((k, i) => {
        expect(of(again[name]!, i), name).toEqual(of(all[name]!, k));
      });
    }
    const alone = await run(fresh, { features: one(2, 4) });
    nearly(alone.affect!, { shape: [1, 4, 2], data: all.affect!.data.slice(2 * n * 2, 2 * n * 2 + 4 * 2) }, 1e-6);
  });

  test("the attention's query half and bias change nothing", async () => {
    const moved = new Map(fresh);
    const weight = fresh.get("combiner.attention.weight")!;
    moved.set("combiner.attention.weight", { ...weight, data: weight.data.map((x, k) => (k < 6 ? 9 - x : x)) });
    moved.set("combiner.attention.bias", { shape: [1], data: Float32Array.of(70) });
    expect(await run(moved, { features })).toEqual(await run(fresh, { features }));
  });

  test("a missing frame repeats the answer before it and is never attended to", async () => {
    const present: Value = {
      shape: [batch, n],
      data: Int32Array.from([1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]),
    };
    const { affect, attention } = await run(fresh, { features, present });
    expect(affect!.data.slice(4, 6)).toEqual(affect!.data.slice(2, 4));
    for (let t = 0; t < n; t++) expect(attention!.data[t * n + 2]).toBe(0);
    const whole = await run(fresh, { features });
    expect(affect!.data.slice(-2 * n)).toEqual(whole.affect!.data.slice(-2 * n));
  });
});
