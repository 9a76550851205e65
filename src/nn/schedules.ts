import * as tf from "@tensorflow/tfjs-core";

/** A learning rate that changes with the number of updates made before, 0 for the first. */
export interface Schedule {
  /** With its numbers, for logs and cache keys: `cosine(0.001, 100 + 900)`. */
  readonly name: string;
  at(updates: number): number;
  /** The same in a program: from an int32 scalar to a float32 one. */
  traced(updates: tf.Scalar): tf.Scalar;
}

/** The rate itself. */
export function constant(rate: number): Schedule {
  return { name: `${rate}`, at: () => rate, traced: () => tf.scalar(rate) };
}

/** The rate times `factor` after every `period` updates (PyTorch's StepLR). */
export function stepped(rate: number, period: number, factor: number): Schedule {
  return {
    name: `stepped(${rate}, × ${factor} every ${period})`,
    at: (updates) => rate * factor ** Math.floor(updates / period),
    traced: (updates) =>
      tf.mul(rate, tf.pow(factor, tf.cast(tf.floorDiv(updates, tf.scalar(period, "int32")), "float32"))),
  };
}

/** rate · factor^updates (PyTorch's ExponentialLR). */
export function exponential(rate: number, factor: number): Schedule {
  return {
    name: `exponential(${rate}, × ${factor})`,
    at: (updates) => rate * factor ** updates,
    traced: (updates) => tf.mul(rate, tf.pow(factor, tf.cast(updates, "float32"))),
  };
}

/**
 * Rises in a line over `warmUp` updates, rate / warmUp at the first, then falls along half a cosine to `least` over
 * `length` more, and stays there (Loshchilov and Hutter 2017, without restarts).
 */
export function cosine(rate: number, options: { warmUp?: number; length: number; least?: number }): Schedule {
  const { warmUp = 0, length, least = 0 } = options;
  return {
    name: `cosine(${rate} to ${least}, ${warmUp} + ${length})`,
    at: (updates) => {
      if (updates < warmUp) return (rate * (updates + 1)) / warmUp;
      const done = Math.min(1, (updates - warmUp) / length);
      return least + ((rate - least) * (1 + Math.cos(Math.PI * done))) / 2;
    },
    traced: (updates) => {
      const made = tf.cast(updates, "float32");
      const done = tf.clipByValue(tf.div(tf.sub(made, warmUp), length), 0, 1);
      const falling = tf.add(least, tf.mul((rate - least) / 2, tf.add(1, tf.cos(tf.mul(Math.PI, done)))));
      if (warmUp === 0) return falling as tf.Scalar;
      const rising = tf.mul(rate / warmUp, tf.add(made, 1));
      return tf.where(tf.less(made, warmUp), rising, falling) as tf.Scalar;
    },
  };
}
