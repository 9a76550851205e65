import { seeded } from "../random.ts";
import { type ParameterSpec, sizeOf, type Weight, type Weights } from "./weights.ts";

/**
 * Fresh weights: each parameter starts as its spec says. Every parameter draws from its own generator, forked from the
 * seed by its name, so equal seeds give equal bytes on every machine and adding a parameter changes no other.
 */
export function initialise(specs: readonly ParameterSpec[], seed: number): Weights {
  const root = seeded(seed);
  return new Map(
    specs.map(({ name, shape, start }): [string, Weight] => {
      const data = new Float32Array(sizeOf(shape));
      if (start === "ones") data.fill(1);
      else if (start !== "zeros") {
        const random = root.fork(name);
        const bound = 1 / Math.sqrt(start.uniform.fanIn);
        for (let i = 0; i < data.length; i++) data[i] = random.uniform(-bound, bound);
      }
      return [name, { shape, data }];
    }),
  );
}

/** A convolution's weight, U(±1/√fan_in) with fan_in = shape[1]·kernel² as PyTorch counts it, transposed or not. */
export function convWeight(name: string, shape: readonly [number, number, number, number]): ParameterSpec {
  return { name, shape, start: { uniform: { fanIn: shape[1] * shape[2] * shape[3] } } };
}
