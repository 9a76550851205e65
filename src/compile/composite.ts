import * as tf from "@tensorflow/tfjs-core";

/**
 * A named piece of a network that the tracing backend turns into one fused ONNX node, or a few; every other backend takes
 * `fallback`, plain ops that compute the same. So does a recorded gradient, unless `gradient` gives the gradients by the
 * inputs, in their order, of the output's gradient; where it is itself differentiated, it has to be in plain ops.
 *
 * Known names; x and dy are [N, H, W, C], scale and bias [C], the attribute is `epsilon`:
 * - `instanceNorm`: inputs x, scale, bias. Each sample's channel is brought to mean 0 and variance 1 over H × W (biased
 *   variance), then scaled and shifted.
 * - `instanceNormByInput`: inputs x, scale, dy. Its gradient by x.
 * - `instanceNormByScale`: inputs x, dy. Its gradient by scale.
 */
export function composite<Inputs extends readonly tf.Tensor[]>(
  name: string,
  inputs: readonly [...Inputs],
  attributes: Record<string, number>,
  fallback: (...inputs: Inputs) => tf.Tensor,
  gradient?: (dy: tf.Tensor, ...inputs: Inputs) => tf.Tensor[],
): tf.Tensor {
  const kernel = compositeKernel(name);
  const recording = tf.engine().state.gradientDepth > 0;
  const list = inputs as unknown as Inputs;
  if ((recording && !gradient) || !tf.getKernel(kernel, tf.engine().backendName)) return fallback(...list);
  const run = (given: readonly tf.Tensor[]): tf.Tensor =>
    tf.engine().runKernel(kernel, Object.fromEntries(given.map((input, i) => [`x${i}`, input])), attributes);
  if (!recording || !gradient) return run(list);
  return tf.customGrad((...args) => {
    const given = args.slice(0, list.length) as tf.Tensor[];
    const save = args[list.length] as unknown as tf.GradSaveFunc;
    save(given);
    return {
      value: run(given),
      gradFunc: (dy, saved) => gradient(dy as tf.Tensor, ...(saved as unknown as Inputs)),
    };
  })(...list);
}

/** The kernel's name in TensorFlow.js' registry. */
export const compositeKernel = (name: string): string => `Composite/${name}`;
