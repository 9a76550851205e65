import { spreadOf } from "../nn/metrics.ts";
import type { Gain, ModelResults, RunScores } from "./experiment.ts";

/**
 * What models of some families are better than those of others by: each with the other of the same n, or with one that has
 * none. What was not trained is left out.
 *
 * @param comparisons names of two families each, in the order of the table
 */
export function gainsOf(
  models: readonly ModelResults[],
  comparisons: readonly (readonly [family: string, against: string])[],
): Gain[] {
  return comparisons.flatMap(([family, against]) =>
    models.flatMap((model) => {
      const other = models.find((one) => one.family === against && (one.n === model.n || one.n === null));
      const gain = model.family === family && other ? gainOf(model, other) : null;
      return gain ? [gain] : [];
    }),
  );
}

/**
 * The mean difference of two models' CCC (mean of valence and arousal) over the folds and seeds that both have, with its
 * standard error, the pairs' deviation (1/(N − 1)) / √N. A run without a seed stands against every seed of its fold. null
 * where the two have no pair. With the models changed about the difference changes its sign, and nothing else.
 */
export function gainOf(model: ModelResults, against: ModelResults): Gain | null {
  const pairs = pairsOf(model.runs, against.runs);
  if (pairs.length === 0) return null;
  const { mean, sd } = spreadOf(pairs.map(([one, other]) => one.scores.average.ccc - other.scores.average.ccc));
  return {
    model: { family: model.family, n: model.n },
    against: { family: against.family, n: against.n },
    pairs: pairs.length,
    difference: mean,
    standardError: sd === null ? null : sd / Math.sqrt(pairs.length),
    uneven: pairs.filter(([one, other]) => one.frames !== other.frames).length,
  };
}

/** Whether a difference is more than two standard errors; null for one pair, where nobody knows. */
export function isClear({ difference, standardError }: Gain): boolean | null {
  return standardError === null ? null : Math.abs(difference) > 2 * standardError;
}

/** In the order of folds and seeds, so that sums do not depend on who comes first. */
function pairsOf(ones: readonly RunScores[], others: readonly RunScores[]): [RunScores, RunScores][] {
  const seedOf = ([one, other]: readonly [RunScores, RunScores]) => one.seed ?? other.seed ?? 0;
  return ones
    .flatMap((one) =>
      others
        .filter(({ fold, seed }) => fold === one.fold && (seed === null || one.seed === null || seed === one.seed))
        .map((other): [RunScores, RunScores] => [one, other]),
    )
    .sort((a, b) => a[0].fold - b[0].fold || seedOf(a) - seedOf(b));
}
