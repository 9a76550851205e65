import * as tf from "@tensorflow/tfjs-core";
import { withGradient } from "./gradient.ts";

/** The same numbers, as a constant: no gradient passes to what they were computed from. */
export function detach<T extends tf.Tensor>(x: T): T {
  const [constant] = withGradient(
    {},
    () => [tf.clone(x)],
    () => ({}),
  );
  return constant;
}
