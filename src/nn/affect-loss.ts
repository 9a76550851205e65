import * as tf from "@tensorflow/tfjs-core";

/** The terms of the affect loss, scalars, unweighted; each is a sum over valence and arousal. */
export interface AffectLosses {
  /** RMSE_V + RMSE_A, each frame's square times its weight. */
  readonly rmse: tf.Scalar;
  /** (1 − COR_V) + (1 − COR_A), Pearson; 0..4. */
  readonly cor: tf.Scalar;
  /** (1 − CCC_V) + (1 − CCC_A); 0..4. */
  readonly ccc: tf.Scalar;
  /** (1 − ICC_V) + (1 − ICC_A); 0..4. */
  readonly icc: tf.Scalar;
}

/**
 * The affect loss (ANCLaF eq. 10, in the sense of its published code: errors are lowered, correlations raised), over all
 * frames of a batch at once. Means, variances and covariances are weighted ones with 1/N moments, as in nn/metrics.ts.
 *
 * Where nothing varies, the correlation terms are 1 a dimension and their gradients finite.
 *
 * @param predictions [N, 2]: valence, arousal
 * @param labels [N, 2], scaled to −1..1, so that the RMSE does not swamp the other terms
 * @param weights [N, 2], mean 1 over the training frames
 */
export function affectLosses(predictions: tf.Tensor2D, labels: tf.Tensor2D, weights: tf.Tensor2D): AffectLosses {
  const shares = tf.div(weights, tf.add(tf.sum(weights, 0, true), EPSILON));
  const mean = (x: tf.Tensor) => tf.sum(tf.mul(x, shares), 0, true);
  const meanP = mean(predictions);
  const meanY = mean(labels);
  const p = tf.sub(predictions, meanP);
  const y = tf.sub(labels, meanY);
  const covariance = mean(tf.mul(p, y));
  const varianceP = mean(tf.square(p));
  const varianceY = mean(tf.square(y));
  const spread = tf.add(varianceP, varianceY);
  const twice = tf.mul(covariance, 2);

  const errors = tf.mean(tf.mul(tf.square(tf.sub(predictions, labels)), weights), 0);
  // The root's gradient at 0 is infinite; below this an error is no longer worth lowering.
  const rmse = tf.sqrt(tf.maximum(errors, LEAST_ERROR));
  const cor = tf.mul(covariance, tf.rsqrt(tf.add(tf.mul(varianceP, varianceY), EPSILON)));
  const ccc = tf.div(twice, tf.add(tf.add(spread, tf.square(tf.sub(meanP, meanY))), EPSILON));
  const icc = tf.div(twice, tf.add(spread, EPSILON));
  const missing = (correlation: tf.Tensor) => tf.sum(tf.sub(1, correlation)) as tf.Scalar;
  return { rmse: tf.sum(rmse), cor: missing(cor), ccc: missing(ccc), icc: missing(icc) };
}

/** Added to denominators only. Labels of −1..1 have variances around 0.1, and products of two around 0.01. */
const EPSILON = 1e-8;
const LEAST_ERROR = 1e-12;
