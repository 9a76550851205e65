import { spreadOf } from "../../nn/metrics.ts";
import type { ResultRow } from "../../systems/anclaf/evaluation.ts";
import { DIMENSIONS, type Dimension } from "./affect-model.ts";
import { readFacesTruth } from "./faces-truth.ts";
import { oracleScores } from "./oracle-scores.ts";

/**
 * What the best predictor from a single frame reaches on each fold's clips, as a row of the results: CCC and COR, mean
 * over folds.
 *
 * @param folder that `synthFaces` made
 * @param folds the clips of each fold
 * @throws PipeError when the truth of the drawn data cannot be read
 */
export async function frameOracleRow(folder: string, folds: readonly ReadonlySet<string>[]): Promise<ResultRow> {
  const truth = await readFacesTruth(folder);
  const scores = folds.map((clips) => {
    const own = truth.filter(({ clip }) => clips.has(clip));
    const of = (dimension: Dimension) => oracleScores(own, dimension, 1);
    const [valence, arousal] = [of(DIMENSIONS[0]), of(DIMENSIONS[1])];
    const average = { ccc: (valence.ccc + arousal.ccc) / 2, cor: (valence.cor + arousal.cor) / 2 };
    return { valence, arousal, average };
  });
  const spread = (of: "valence" | "arousal" | "average") => ({
    ccc: spreadOf(scores.map((fold) => fold[of].ccc)),
    cor: spreadOf(scores.map((fold) => fold[of].cor)),
  });
  const figures = { valence: spread("valence"), arousal: spread("arousal"), average: spread("average") };
  return { name: "Best possible from one frame", figures };
}
