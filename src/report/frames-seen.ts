import type { ModelBySeen, RunScores, ScoresBySeen, SeenPoint } from "./experiment.ts";
import { frameInterval } from "./frame-interval.ts";
import { FAMILIES } from "./sequence-families.ts";
import { type Said, type SequenceRun, scoresOf } from "./sequence-runs.ts";
import { framesOf, summaryOf } from "./summary.ts";

export interface ScoresBySeenOptions {
  /** At least one. */
  readonly runs: readonly SequenceRun[];
  /** What the best possible predictor says of a face from so many frames; null for a face with fewer up to it. */
  readonly seenOracle: ((frames: number) => (face: Said) => Record<"valence" | "arousal", number> | null) | null;
  readonly plantedMilliseconds: number | null;
}

/**
 * How well sequence models do after each number of frames: a mean over whole windows hides that their first faces are
 * judged with little to look back on.
 */
export function scoresBySeen({ runs, seenOracle, plantedMilliseconds }: ScoresBySeenOptions): ScoresBySeen {
  const lengths = [...new Set(runs.map(({ n }) => n))].sort((a, b) => a - b);
  const models = Object.entries(FAMILIES).flatMap(([model, name]) =>
    lengths.flatMap((n): ModelBySeen[] => {
      const own = runs.filter((run) => run.model === model && run.n === n);
      return own.length === 0 ? [] : [{ ...name, n, points: pointsOf(own, n) }];
    }),
  );
  return {
    interval: frameInterval(runs[0]!.steps),
    planted: plantedMilliseconds,
    models: [...models, ...(seenOracle ? [bestPossible(runs, lengths.at(-1)!, seenOracle)] : [])],
  };
}

function pointsOf(runs: readonly SequenceRun[], n: number): SeenPoint[] {
  const groups = runs.map(({ fold, seed, steps }) => ({ fold, seed, bySeen: groupBySeen(steps) }));
  return Array.from({ length: n }, (_, i) =>
    pointOf(
      i + 1,
      groups.map(({ bySeen, ...run }) => ({ ...run, steps: bySeen.get(i + 1) ?? [] })),
    ),
  );
}

function groupBySeen(steps: SequenceRun["steps"]): ReadonlyMap<number, readonly Said[]> {
  const groups = new Map<number, Said[]>();
  for (const step of steps) {
    const own = groups.get(step.seen);
    if (own) own.push(step);
    else groups.set(step.seen, [step]);
  }
  return groups;
}

/** Of each fold's test faces, in whatever place of a window: all that have so many frames of their clip up to them. */
function bestPossible(
  runs: readonly SequenceRun[],
  longest: number,
  oracle: NonNullable<ScoresBySeenOptions["seenOracle"]>,
): ModelBySeen {
  const one = runs.filter((run, i) => runs.findIndex(({ fold }) => fold === run.fold) === i);
  const points = Array.from({ length: longest }, (_, i) => {
    const best = oracle(i + 1);
    const said = (steps: readonly Said[]) =>
      steps.flatMap((step): Said[] => {
        const affect = best(step);
        return affect === null ? [] : [{ ...step, predictedValence: affect.valence, predictedArousal: affect.arousal }];
      });
    return pointOf(
      i + 1,
      one.map(({ fold, steps }) => ({ fold, seed: null, steps: said(steps) })),
    );
  });
  return { family: "Best possible", n: null, role: "oracle", points };
}

/** Mean and deviation over the runs that have labelled faces. */
function pointOf(
  seen: number,
  runs: readonly { readonly fold: number; readonly seed: number | null; readonly steps: readonly Said[] }[],
): SeenPoint {
  const scored = runs.flatMap(({ fold, seed, steps }): RunScores[] => {
    const known = steps.filter(({ valence, arousal }) => Number.isFinite(valence) && Number.isFinite(arousal));
    return known.length === 0 ? [] : [{ fold, seed, frames: known.length, scores: scoresOf(known) }];
  });
  const ccc = scored.length === 0 ? null : summaryOf(scored, "average", "ccc");
  return { seen, ccc, frames: framesOf(scored) };
}
