import type { Subject } from "../records.ts";
import type { FaceScore, SequenceScorer } from "./scoring.ts";

/** A row with the features of its face, null where it has none. */
type Fed<Row> = readonly [row: Row, features: Float32Array | null];
/** A row with its score, null exactly where it had no features. */
type Scored<Row> = readonly [row: Row, score: FaceScore | null];

/**
 * Gives every face the score that a sequence model has for it, rows in the order they came. Windows of `n` steps go along each
 * track, `stride` steps apart; a step is a frame, and is missing where the track has no face in it. A window scores those of
 * its steps that none before it scored, so that from the second on each is scored with at least n − `stride` before it. What is
 * left at a track's end is scored by the window of its last `n` steps; a track of fewer gives one window that is filled up. A
 * hole of more than `gap` ends a track for this purpose, so that no window reaches across it. Rows wait for their window, so
 * about `n` frames and a gap are held.
 *
 * @param gap microseconds.
 * @param stride 1..n.
 */
export async function* trackScores<Row extends Pick<Subject, "index" | "pts" | "track">>(
  input: AsyncIterable<Fed<Row>>,
  scorer: Pick<SequenceScorer, "n" | "finish">,
  { gap, stride }: { readonly gap: number; readonly stride: number },
): AsyncGenerator<Scored<Row>, void, void> {
  const waiting: Slot<Row>[] = [];
  const runs = new Map<number, Run>();
  let [frame, index] = [-1, -1];

  for await (const [row, features] of input) {
    if (row.index !== index) {
      frame += 1;
      index = row.index;
      for (const [track, run] of runs)
        if (row.pts - run.pts > gap) {
          runs.delete(track);
          await scoreRest(run, scorer);
        }
    }
    const slot: Slot<Row> = { row, score: features === null ? null : undefined };
    waiting.push(slot);
    if (row.track >= 0) {
      const run = runs.get(row.track) ?? newRun(frame);
      runs.set(row.track, run);
      for (; run.frame + 1 < frame; run.frame += 1) await push(run, { features: null, slot: null }, scorer, stride);
      await push(run, { features, slot }, scorer, stride);
      Object.assign(run, { frame, pts: row.pts });
    }
    yield* ready(waiting);
  }
  for (const run of runs.values()) await scoreRest(run, scorer);
  yield* ready(waiting);
}

interface Slot<Row> {
  readonly row: Row;
  /** Undefined until it is known. */
  score: FaceScore | null | undefined;
}

interface Step {
  readonly features: Float32Array | null;
  readonly slot: Slot<unknown> | null;
}

/** The steps of one track without a long hole. */
interface Run {
  /** The last `n` steps at most, and who waits for the score of each. */
  readonly steps: Step[];
  /** How many at the end of `steps` are not scored yet. */
  fresh: number;
  /** Whether a window of it was scored. */
  begun: boolean;
  /** Number and time of the last frame that the track was in. */
  frame: number;
  pts: number;
}

const newRun = (frame: number): Run => ({ steps: [], fresh: 0, begun: false, frame: frame - 1, pts: 0 });

async function push(run: Run, step: Step, scorer: Pick<SequenceScorer, "n" | "finish">, stride: number): Promise<void> {
  run.steps.push(step);
  if (run.steps.length > scorer.n) run.steps.shift();
  run.fresh += 1;
  if (run.fresh === (run.begun ? stride : scorer.n)) await scoreRest(run, scorer);
}

async function scoreRest(run: Run, { n, finish }: Pick<SequenceScorer, "n" | "finish">): Promise<void> {
  const { steps, fresh } = run;
  run.fresh = 0;
  run.begun = true;
  const unscored = steps.slice(steps.length - fresh);
  if (!unscored.some(({ features }) => features !== null)) return;
  const padding = new Array<null>(n - steps.length).fill(null);
  const scores = await finish([...steps.map(({ features }) => features), ...padding]);
  for (const [i, { features, slot }] of unscored.entries())
    if (features !== null && slot !== null) slot.score = scores[steps.length - fresh + i]!;
}

function* ready<Row>(waiting: Slot<Row>[]): Generator<Scored<Row>> {
  let n = 0;
  while (n < waiting.length && waiting[n]!.score !== undefined) n += 1;
  for (const { row, score } of waiting.splice(0, n)) yield [row, score!];
}
