import { metricsOf } from "../../nn/metrics.ts";
import { DIMENSIONS, type Dimension, MODEL } from "./affect-model.ts";
import type { Rate, Track } from "./affect-tracks.ts";
import { type FaceClipTruth, tracksOf } from "./faces-truth.ts";
import { type Expected, expected, meanLabel, type WindowOracle, windowOracle } from "./oracle.ts";

/**
 * How frames are gathered into windows of n: "sliding", each frame with the n − 1 before it; "chunks", one after the other
 * without overlap, so that the k-th frame of a chunk has k − 1 before it (the paper's way, with all frames scored).
 * At a clip's begin there are fewer frames, and the oracle knows it.
 */
export type Windows = "sliding" | "chunks";

/** Predictions of the label, −1..1, for every frame of a track, by the best predictor from windows of `n` frames. */
export function predictTrack(
  { level, carrier }: Track,
  dimension: Dimension,
  n: number,
  rate: Rate,
  windows: Windows = "sliding",
): Float64Array {
  return level.map((_, t) => {
    const frames = windows === "sliding" ? Math.min(n, t + 1) : (t % n) + 1;
    const oracle = oracleOf(dimension, frames, rate);
    let mean = 0;
    for (let i = 0, at = t - frames + 1; i < frames; i++, at++)
      mean += oracle.level[i]! * level[at]! + oracle.carrier[i]! * carrier[at]!;
    return meanLabel(mean, oracle.open);
  });
}

/** Scores over all frames of all clips given, labels −1..1. */
export interface Scores extends Expected {
  readonly frames: number;
}

/** How well the oracle of windows of `n` frames predicts these clips: a whole dataset or its test fold. */
export function oracleScores(
  clips: readonly FaceClipTruth[],
  dimension: Dimension,
  n: number,
  windows: Windows = "sliding",
): Scores {
  const [predictions, labels]: [number[], number[]] = [[], []];
  for (const clip of clips) {
    const track = tracksOf(clip)[dimension];
    predictions.push(...predictTrack(track, dimension, n, clip.rate, windows));
    labels.push(...track.label);
  }
  const { rmse, ccc, cor, frames } = metricsOf(predictions, labels);
  return { rmse, ccc, cor, frames };
}

/** Windows that the table has a row for. */
export const WINDOW_SIZES = [1, 2, 4, 8, 16, 32] as const;

export interface OracleRow {
  /** Frames, and the milliseconds that they stand for. */
  readonly n: number;
  readonly milliseconds: number;
  /** Over all clips that the model can give. */
  readonly expected: Expected;
  /** Over these clips. */
  readonly sliding: Scores;
  readonly chunks: Scores;
}

/** What the best predictors reach; n = 1 is the frame oracle. */
export type OracleTable = Readonly<Record<Dimension, readonly OracleRow[]>>;

export function oracleTable(clips: readonly FaceClipTruth[], rate: Rate): OracleTable {
  const rows = (dimension: Dimension): OracleRow[] =>
    WINDOW_SIZES.map((n) => ({
      n,
      milliseconds: (1000 * n) / rate,
      expected: expected(oracleOf(dimension, n, rate)),
      sliding: oracleScores(clips, dimension, n, "sliding"),
      chunks: oracleScores(clips, dimension, n, "chunks"),
    }));
  return { [DIMENSIONS[0]]: rows(DIMENSIONS[0]), [DIMENSIONS[1]]: rows(DIMENSIONS[1]) } as OracleTable;
}

const oracles = new Map<string, WindowOracle>();

function oracleOf(dimension: Dimension, n: number, rate: Rate): WindowOracle {
  const key = `${dimension} ${n} ${rate}`;
  const oracle = oracles.get(key) ?? windowOracle(MODEL[dimension], n, rate);
  oracles.set(key, oracle);
  return oracle;
}
