import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { withBackend } from "../compile/backends.ts";
import type { Weights } from "./weights.ts";

/** Trainable tensors by name, in a fixed order, with the names and shapes of the network's {@link ParameterSpec}s. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** Weights as tensors on the TF.js CPU backend, which shares the arrays: do not change them afterwards. */
export function toParameters(weights: Weights): Parameters {
  return withBackend(
    "cpu",
    () => new Map(Array.from(weights, ([name, { data, shape }]) => [name, tensor(data, [...shape], "float32")])),
  );
}

export function disposeParameters(parameters: Parameters): void {
  for (const parameter of parameters.values()) parameter.dispose();
}

/** The parameters of one part: `scope(parameters, "generator.e1")("conv.weight")` is `generator.e1.conv.weight`. */
export function scope(parameters: Parameters, prefix: string): <T extends Tensor>(name: string) => T {
  return <T extends Tensor>(name: string) => {
    const found = parameters.get(`${prefix}.${name}`);
    if (found === undefined) throw new Error(`There is no parameter "${prefix}.${name}".`);
    return found as T;
  };
}
