import { PipeError } from "../errors.ts";

/** A dense float32 array, row-major over its shape. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Named weights as plain data, in a fixed order: what a checkpoint holds, free of any TF.js backend. */
export type Weights = ReadonlyMap<string, Weight>;

/** How a parameter starts: U(±1/√fanIn), all ones or all zeros. */
export type Start = { readonly uniform: { readonly fanIn: number } } | "ones" | "zeros";

/** What a network says of one of its parameters. Names and axes are PyTorch's, so that checkpoints can be carried over. */
export interface ParameterSpec {
  /** Dotted, e.g. `generator.e1.conv.weight`. */
  readonly name: string;
  /** Conv2d [out, in, kernel, kernel]; ConvTranspose2d [in, out, kernel, kernel]; norms and biases [channels]. */
  readonly shape: readonly number[];
  readonly start: Start;
}

/** Numbers held by specs, weights or parameters. */
export function count(parts: Iterable<{ readonly shape: readonly number[] }>): number {
  let total = 0;
  for (const { shape } of parts) total += sizeOf(shape);
  return total;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * The weights that the specs ask for, in the specs' order.
 * Throws a PipeError that names every missing, unknown and misshaped tensor, `where` being what the weights came from.
 */
export function conform(weights: Weights, specs: readonly ParameterSpec[], where: string): Weights {
  const wanted = new Map(specs.map((spec) => [spec.name, spec]));
  const faults = [
    ...specs.filter((spec) => !weights.has(spec.name)).map((spec) => `missing: ${spec.name} ${shown(spec.shape)}`),
    ...specs.flatMap((spec) => {
      const found = weights.get(spec.name);
      if (found === undefined || shown(found.shape) === shown(spec.shape)) return [];
      return [`wrong shape: ${spec.name} is ${shown(found.shape)}, not ${shown(spec.shape)}`];
    }),
    ...Array.from(weights)
      .filter(([name]) => !wanted.has(name))
      .map(([name, weight]) => `unknown: ${name} ${shown(weight.shape)}`),
  ];
  if (faults.length > 0)
    throw new PipeError(`${where} does not fit the network:\n  ${faults.join("\n  ")}`, {
      hint: "Was it trained with another preset, or for another network?",
    });
  return new Map(specs.map((spec) => [spec.name, weights.get(spec.name)!]));
}

function shown(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
