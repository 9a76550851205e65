import { type DimensionModel, labelOf, swaying } from "./affect-model.ts";
import { cholesky, solveCholesky } from "./cholesky.ts";

/**
 * The best prediction of one dimension's label at a window's last frame from what that window's frames show. Level and
 * carrier are jointly Gaussian with g, so the posterior of g given a window is a normal distribution whose mean is a
 * fixed weighted sum of what is shown; the least squares prediction of the label is the mean of tanh g under it. No
 * model can have a smaller expected squared error, or a higher expected correlation, from the same frames.
 */
export interface WindowOracle {
  /** Frames in the window. */
  readonly n: number;
  /** Weights of levels and carriers, oldest frame first. */
  readonly level: Float64Array;
  readonly carrier: Float64Array;
  /** Variance of g that stays open. */
  readonly open: number;
  /** Variance of g without any frame. */
  readonly prior: number;
}

/** The oracle for windows of `n` ≥ 1 frames at `rate` frames per second. */
export function windowOracle(model: DimensionModel, n: number, rate: number): WindowOracle {
  const at = (i: number) => i / rate;
  const size = 2 * n;
  const shown = new Float64Array(size * size);
  const felt = new Float64Array(size);
  for (let i = 0; i < n; i++) {
    felt[i] = feltCovariance(model, at(n - 1 - i) + model.lag);
    for (let j = 0; j < n; j++) {
      const lag = at(i - j);
      shown[i * size + j] = levelCovariance(model, lag);
      shown[(n + i) * size + n + j] = carrierCovariance(model, lag);
      shown[i * size + n + j] = shown[(n + j) * size + i] = crossCovariance(model, lag);
    }
  }
  const weights = solveCholesky(cholesky(shown, size), felt);
  const prior = feltCovariance(model, 0);
  const explained = weights.reduce((sum, w, i) => sum + w * felt[i]!, 0);
  return { n, level: weights.slice(0, n), carrier: weights.slice(n), open: prior - explained, prior };
}

/**
 * The best that can be had from a window's frames in unknown order by their means: what is left of the gain when the
 * frames are shuffled. Its weights are the same for every frame.
 */
export function orderlessOracle(model: DimensionModel, n: number, rate: number): WindowOracle {
  let [levels, crosses, carriers, felt] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    felt += feltCovariance(model, (n - 1 - i) / rate + model.lag) / n;
    for (let j = 0; j < n; j++) {
      const lag = (i - j) / rate;
      levels += levelCovariance(model, lag) / n ** 2;
      crosses += crossCovariance(model, lag) / n ** 2;
      carriers += carrierCovariance(model, lag) / n ** 2;
    }
  }
  const [level, carrier] = solveCholesky(
    cholesky(Float64Array.of(levels, crosses, crosses, carriers), 2),
    Float64Array.of(felt, 0),
  );
  const prior = feltCovariance(model, 0);
  return {
    n,
    level: new Float64Array(n).fill(level! / n),
    carrier: new Float64Array(n).fill(carrier! / n),
    open: prior - level! * felt,
    prior,
  };
}

/** How well an oracle does over all clips that the model can give. */
export interface Expected {
  /** Of the least squares prediction, labels in −1..1. */
  readonly rmse: number;
  /** Concordance of the least squares prediction. */
  readonly ccc: number;
  /**
   * Pearson's correlation. Also the highest concordance that can be had, by the same prediction stretched to the
   * label's own spread.
   */
  readonly cor: number;
}

/** Exact, by quadrature: a least squares prediction's covariance with the label is its own variance. */
export function expected({ open, prior }: Pick<WindowOracle, "open" | "prior">): Expected {
  const label = normalMean((z) => labelOf(Math.sqrt(prior) * z) ** 2);
  const prediction = normalMean((z) => meanLabel(Math.sqrt(prior - open) * z, open) ** 2);
  return {
    rmse: Math.sqrt(label - prediction),
    ccc: (2 * prediction) / (prediction + label),
    cor: Math.sqrt(prediction / label),
  };
}

/** Mean of the label where g is normal with this mean and variance. */
export function meanLabel(mean: number, variance: number): number {
  const spread = Math.sqrt(variance);
  return normalMean((z) => labelOf(mean + spread * z));
}

/** Mean of f(z), z standard normal: the trapezium rule, whose error for tanh is below 1e-12. */
function normalMean(f: (z: number) => number): number {
  let sum = 0;
  for (const [i, z] of NODES.entries()) sum += DENSITY[i]! * f(z);
  return sum;
}

const STEP = 0.5;
const NODES = Array.from({ length: 29 }, (_, i) => STEP * (i - 14));
const DENSITY = NODES.map((z) => (STEP * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI));

/** g(t) with g(t − lag). */
function feltCovariance({ mood, swing, pace }: DimensionModel, lag: number): number {
  const steps = pace * Math.abs(lag);
  return mood ** 2 + swing ** 2 * (1 + steps) * Math.exp(-steps);
}

function levelCovariance(model: DimensionModel, lag: number): number {
  const { rest, mask, rhythm, tremor } = model;
  const still = rest ** 2 + mask ** 2 + (lag === 0 ? tremor.level ** 2 : 0);
  const { fall, cos, sin } = swaying(model, Math.abs(lag));
  return feltCovariance(model, lag) + still + rhythm ** 2 * fall * (cos - model.fading * sin);
}

function carrierCovariance(model: DimensionModel, lag: number): number {
  const { fall, cos, sin } = swaying(model, Math.abs(lag));
  return fall * (cos + model.fading * sin) + (lag === 0 ? model.tremor.carrier ** 2 : 0);
}

/** level(t) with carrier(t − lag). */
function crossCovariance(model: DimensionModel, lag: number): number {
  const { fall, sin } = swaying(model, Math.abs(lag));
  return -Math.sign(lag) * model.rhythm * 2 * Math.PI * model.hertz * fall * sin;
}
