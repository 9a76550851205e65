import * as tf from "@tensorflow/tfjs-core";

/**
 * A named piece of a network that the tracing backend turns into one fused ONNX node; every other backend, and a
 * recorded gradient, takes `fallback`, plain ops that compute the same.
 *
 * Known names:
 * - `instanceNorm`: inputs x [N, H, W, C], scale [C], bias [C]; attribute `epsilon`. Each sample's channel is brought to
 *   mean 0 and variance 1 over H × W (biased variance), then scaled and shifted.
 */
export function composite<Inputs extends readonly tf.Tensor[]>(
  name: string,
  inputs: readonly [...Inputs],
  attributes: Record<string, number>,
  fallback: (...inputs: Inputs) => tf.Tensor,
): tf.Tensor {
  const kernel = compositeKernel(name);
  const recording = tf.engine().state.gradientDepth > 0;
  if (recording || !tf.getKernel(kernel, tf.engine().backendName)) return fallback(...(inputs as unknown as Inputs));
  return tf.engine().runKernel(kernel, Object.fromEntries(inputs.map((input, i) => [`x${i}`, input])), attributes);
}

/** The kernel's name in TensorFlow.js' registry. */
export const compositeKernel = (name: string): string => `Composite/${name}`;
