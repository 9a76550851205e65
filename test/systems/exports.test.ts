import { createRequire } from "node:module";
import * as node from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Compiled, compile, type Value } from "../../src/compile/index.ts";
import { metadataOf } from "../../src/compile/onnx.ts";
import { openAnclafSequence } from "../../src/systems/anclaf/sequence-scoring.ts";
import { type BuiltNetwork, networks } from "../../src/systems/index.ts";
import { floats, nearly } from "../nn/sequences.ts";
import { formulaPixels } from "./anclaf/formula.ts";

// The two packages have one interface; this one's types ask for a browser's.
const web = createRequire(import.meta.url)("onnxruntime-web") as typeof node & {
  env: { wasm: { numThreads: number } };
};
web.env.wasm.numThreads = 1;
web.env.logLevel = "error";

/** Every network as it is exported by default, and what attends otherwise. */
const cases = [
  ...Object.keys(networks).map((name) => [name, {}] as const),
  ["anclaf-sequence", { seed: 2, n: 3, attention: "concat" }],
  ["anclaf-sequence", { seed: 2, n: 3, attention: "none" }],
] as const;

describe.each(cases)("%s %j as a file for any batch", (name, options) => {
  let built: BuiltNetwork;
  let compiled: Compiled;
  let file: Uint8Array;
  beforeAll(async () => {
    built = await networks[name]!.build({ preset: "small", ...options });
    compiled = compile(built.program, { name });
    file = compiled.toOnnx(built.inputs, built.metadata);
  });
  afterAll(async () => {
    await compiled.dispose();
    built.dispose();
  });

  it("gives for 1, 2 and 16 what the compiled network gives, in onnxruntime-node and onnxruntime-web", async () => {
    const sessions = {
      node: await node.InferenceSession.create(file),
      web: await web.InferenceSession.create(file, { executionProviders: ["wasm"] }),
    };
    const [[input, { shape, dtype }]] = Object.entries(built.inputs) as [[string, BuiltNetwork["inputs"][string]]];
    expect(shape[0]).toBe("batch");
    for (const batch of [1, 2, 16]) {
      const own = [batch, ...(shape.slice(1) as number[])];
      const size = own.reduce((product, length) => product * length, 1);
      const data = dtype === "uint8" ? formulaPixels(batch, 128) : Float32Array.from(floats(7, own)).subarray(0, size);
      const right = await compiled.run({ [input]: { data, shape: own } });
      for (const [where, session] of Object.entries(sessions)) {
        const Tensor = where === "node" ? node.Tensor : web.Tensor;
        const found = await session.run({ [input]: new Tensor(dtype as "float32", data as Float32Array, own) });
        expect(Object.keys(found).sort()).toEqual(Object.keys(right).sort());
        for (const [key, value] of Object.entries(right)) {
          const { data, dims } = found[key]!;
          nearly({ data: data as Float32Array, shape: dims }, value as Value, 1e-3, `${where} ${key} of ${batch}`);
        }
      }
    }
    for (const session of Object.values(sessions)) await session.release();
  }, 240_000);

  it("says what goes in and, where it speaks of affect, what its labels' range is", () => {
    const notes = metadataOf(file);
    const input = Object.keys(built.inputs)[0]!;
    expect(notes[`input.${input}`]).toMatch(/^(uint8|float32) \[batch, \d+.*\]: \w+/);
    const speaks = ["anclaf-frame", "anclaf-sequence"].includes(name);
    expect(notes.affect !== undefined).toBe(speaks);
    if (speaks && !("seed" in options))
      expect(JSON.parse(notes.range!)).toEqual({ valence: [-10, 10], arousal: [-10, 10] });
    expect(notes.trainedOn).toBe("seed" in options ? "nothing" : "synthetic faces");
  });
});

it("chained, the files of frame and sequence say of faces what score says", async () => {
  const session = async (name: string) => {
    const built = await networks[name]!.build({ preset: "small" });
    await using compiled = compile(built.program, { name });
    const file = compiled.toOnnx(built.inputs, built.metadata);
    built.dispose();
    return node.InferenceSession.create(file);
  };
  const n = 8;
  const pixels = formulaPixels(n, 128);
  const [frame, sequence] = [await session("anclaf-frame"), await session("anclaf-sequence")];
  const { z } = await frame.run({ pixels: new node.Tensor("uint8", pixels, [n, 128, 128, 3]) });
  const zq = new node.Tensor("float32", z!.data as Float32Array, [1, n, 68, 16, 16]);
  const { affect } = await sequence.run({ zq });
  for (const each of [frame, sequence]) await each.release();

  const run = { batch: 8, engine: "auto", provider: "cpu" } as const;
  await using scorer = await openAnclafSequence({ model: "anclaf-sa", checkpoint: undefined, encoder: undefined }, run);
  const size = 128 * 128 * 3;
  const faces = Array.from({ length: n }, (_, i) => ({
    width: 128,
    height: 128,
    data: pixels.slice(i * size, (i + 1) * size),
  }));
  const scores = await scorer.finish(await scorer.encode(faces));
  for (const [t, { valence, arousal }] of scores.entries()) {
    // Of labels -10..10.
    expect((affect!.data[t * 2] as number) * 10).toBeCloseTo(valence!, 3);
    expect((affect!.data[t * 2 + 1] as number) * 10).toBeCloseTo(arousal!, 3);
  }
});
