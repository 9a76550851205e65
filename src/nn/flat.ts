import * as tf from "@tensorflow/tfjs-core";
import type { Parameters } from "./parameters.ts";
import { conform, count, type ParameterSpec, sizeOf, type Weight, type Weights } from "./weights.ts";

/**
 * A part's parameters as one vector, in the specs' order: an optimiser then is a dozen operations on one array instead
 * of a dozen on each parameter. Throws a PipeError that names what does not fit the specs, `where` being its source.
 */
export function flatten(weights: Weights, specs: readonly ParameterSpec[], where = "The weights"): Float32Array {
  const vector = new Float32Array(count(specs));
  let at = 0;
  for (const { data } of conform(weights, specs, where).values()) {
    vector.set(data, at);
    at += data.length;
  }
  return vector;
}

/** The weights in a vector that {@link flatten} made; they own their memory. */
export function unflatten(vector: Float32Array, specs: readonly ParameterSpec[]): Weights {
  checkLength(vector.length, specs);
  let at = 0;
  return new Map(
    specs.map(({ name, shape }): [string, Weight] => {
      const data = vector.slice(at, at + sizeOf(shape));
      at += data.length;
      return [name, { shape, data }];
    }),
  );
}

/** The same inside a program: one split of the vector [count(specs)], and a reshape each, which costs nothing. */
export function parametersOf(vector: tf.Tensor1D, specs: readonly ParameterSpec[]): Parameters {
  checkLength(vector.size, specs);
  // Of a single parameter there is nothing to split.
  const pieces =
    specs.length === 1
      ? [vector]
      : tf.split(
          vector,
          specs.map(({ shape }) => sizeOf(shape)),
        );
  return new Map(specs.map(({ name, shape }, i) => [name, tf.reshape(pieces[i]!, [...shape])]));
}

/** What {@link differentiate} gives. */
export interface Differentiated<Values> {
  readonly values: Values;
  /** d total / d vector, [count(specs)]; 0 for parameters that the total does not depend on. */
  readonly gradient: tf.Tensor1D;
}

type Totalled = { readonly total: tf.Scalar } & Record<string, tf.Tensor>;

/**
 * Calls `loss` with a vector's parameters and gives what it returns, beside the gradient of its `total` by the vector.
 * The gradient is taken by the pieces and joined once: by the vector itself, through its slices, it would be a sum of
 * as many padded vectors as there are parameters. May be nested, for gradients of gradients.
 */
export function differentiate<Values extends Totalled>(
  vector: tf.Tensor1D,
  specs: readonly ParameterSpec[],
  loss: (parameters: Parameters) => Values,
): Differentiated<Values> {
  const { values, gradients } = differentiateParts({ all: { vector, specs } }, ({ all }) => loss(all!));
  return { values, gradient: gradients.all! };
}

/** The same for the vectors of several parts, in one backward pass. */
export function differentiateParts<Values extends Totalled>(
  parts: Readonly<Record<string, { readonly vector: tf.Tensor1D; readonly specs: readonly ParameterSpec[] }>>,
  loss: (parameters: Record<string, Parameters>) => Values,
): { readonly values: Values; readonly gradients: Record<string, tf.Tensor1D> } {
  const parameters = Object.fromEntries(
    Object.entries(parts).map(([part, { vector, specs }]) => [part, parametersOf(vector, specs)]),
  );
  let inside: Values | undefined;
  const { grads } = tf.engine().gradients(
    () => {
      // They outlive the scope in which the gradient is recorded, and are handed to the caller's below.
      inside = each(loss(parameters), (tensor) => tf.keep(tf.clone(tensor)));
      return inside.total;
    },
    Object.values(parameters).flatMap((pieces) => [...pieces.values()]),
    undefined,
    true,
  );
  const values = each(inside!, (tensor) => tf.clone(tensor));
  tf.dispose(inside);
  let at = 0;
  const joined = Object.entries(parameters).map(([part, pieces]) => {
    const flat = Array.from(pieces.values(), (piece) => {
      const gradient: tf.Tensor | null | undefined = grads[at++];
      return gradient ? tf.reshape(gradient, [piece.size]) : tf.zeros<tf.Rank.R1>([piece.size]);
    });
    return [part, tf.concat(flat as tf.Tensor1D[])] as const;
  });
  return { values, gradients: Object.fromEntries(joined) };
}

function each<Values extends Record<string, tf.Tensor>>(
  values: Values,
  body: (tensor: tf.Tensor) => tf.Tensor,
): Values {
  return Object.fromEntries(Object.entries(values).map(([name, tensor]) => [name, body(tensor)])) as Values;
}

function checkLength(length: number, specs: readonly ParameterSpec[]): void {
  const needed = count(specs);
  if (length !== needed)
    throw new Error(`A vector of ${length} numbers cannot hold the ${needed} of these parameters.`);
}
