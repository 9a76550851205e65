import { engine, type Tensor } from "@tensorflow/tfjs-core";

/**
 * A piece of a network with a hand-written gradient: tf.customGrad for several inputs and outputs by name.
 * Unlike there, the gradient of an input is computed only when somebody asks for it.
 *
 * @param forward gives the outputs; what the gradient needs of other tensors than the inputs must go through `keep`,
 *   once: all but these may be gone by then.
 * @param backward takes the outputs' gradients, the inputs and the kept tensors, and gives a function for each input.
 *   What several of these share is computed in `backward` itself.
 */
export function withGradient<Inputs extends Record<string, Tensor>, Outputs extends readonly Tensor[]>(
  inputs: Inputs,
  forward: (keep: (tensors: readonly Tensor[]) => void) => Outputs,
  backward: (
    gradients: Outputs,
    inputs: Inputs,
    kept: readonly Tensor[],
  ) => { readonly [Name in keyof Inputs]: () => Tensor },
): Outputs {
  // tf.customGrad is a wrapper around this very method, which TypeScript alone calls private.
  const recorder = engine() as unknown as Recorder;
  const outputs = recorder.runKernelFunc({
    inputs,
    forwardFunc: (_, keep) => {
      let extra: readonly Tensor[] = [];
      const outputs = forward((tensors) => {
        extra = tensors;
      });
      keep([...Object.values(inputs), ...extra]);
      return [...outputs];
    },
    backwardsFunc: (given, kept) => {
      // TensorFlow.js hands over a lone output's gradient bare.
      const gradients = (Array.isArray(given) ? given : [given]) as unknown as Outputs;
      const names = Object.keys(inputs);
      const still = Object.fromEntries(names.map((name, i) => [name, kept[i]!])) as Inputs;
      return backward(gradients, still, kept.slice(names.length));
    },
  });
  return outputs as unknown as Outputs;
}

interface Recorder {
  runKernelFunc(piece: {
    inputs: Record<string, Tensor>;
    forwardFunc: (backend: unknown, keep: (tensors: Tensor[]) => void) => Tensor[];
    backwardsFunc: (gradients: Tensor | Tensor[], kept: readonly Tensor[]) => Record<string, () => Tensor>;
  }): Tensor[];
}
