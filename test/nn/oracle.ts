import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { compile } from "../../src/compile/index.ts";
import { type Case, feed, nearly, weighted } from "./sequences.ts";

export function readCases(url: URL, wanted: (name: string) => boolean): Record<string, Case> {
  const all = Object.entries(JSON.parse(readFileSync(url, "utf8")) as Record<string, Case>);
  return Object.fromEntries(all.filter(([name]) => wanted(name)));
}

type Layer = (given: Record<string, tf.Tensor>, name: string) => Record<string, tf.Tensor>;

/** A layer must give PyTorch's outputs and gradients, compiled and op by op. All cases are one program, which starts but once. */
export function againstPyTorch(cases: Readonly<Record<string, Case>>, layer: Layer): void {
  test.each(["js", "onnx"] as const)("is PyTorch's, engine %s", async (engine) => {
    const all = Object.entries(cases);
    expect(all.length).toBeGreaterThan(1);
    await using compiled = compile(
      (given) => {
        const parts = all.map(([name, { inputs, scales, gradients }]) => {
          const own = Object.fromEntries(Object.keys(inputs).map((key) => [key, given[`${name}/${key}`]!]));
          const trained = Object.keys(gradients);
          const loss = (...list: tf.Tensor[]) => {
            const bound = Object.fromEntries(trained.map((key, i) => [key, list[i]!]));
            return weighted(layer({ ...own, ...bound }, name), scales);
          };
          const slopes = tf.grads(loss)(trained.map((key) => own[key]!));
          return {
            ...prefixed(`${name}/y `, layer(own, name)),
            ...Object.fromEntries(trained.map((key, i) => [`${name}/d ${key}`, slopes[i]!])),
          };
        });
        return Object.assign({}, ...parts);
      },
      { name: "layers", engine },
    );
    const feeds = Object.assign({}, ...all.map(([name, { inputs }]) => prefixed(`${name}/`, feed(inputs))));
    const found = await compiled.run(feeds);
    for (const [name, { outputs, gradients }] of all) {
      for (const [key, value] of Object.entries(outputs))
        nearly(found[`${name}/y ${key}`]!, value, 1e-5, `${name}: ${key}`);
      for (const [key, value] of Object.entries(gradients))
        nearly(found[`${name}/d ${key}`]!, value, 2e-5, `${name}: d ${key}`);
    }
  });
}

const prefixed = <T>(prefix: string, record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [prefix + key, value]));
