import { intervalsOf, limitOf, lostBetween, type Moment, median, usualOf } from "../cache/rhythm.ts";
import type { Subject } from "../records.ts";
import { type Pace, paceOf } from "./pace.ts";
import type { FaceScore, SequenceScorer } from "./scoring.ts";

/** A row with the features of its face, null where it has none. */
type Fed<Row> = readonly [row: Row, features: Float32Array | null];
/** A row with its score, null exactly where it had no features. */
type Scored<Row> = readonly [row: Row, score: FaceScore | null];
type Scorer = Pick<SequenceScorer, "n" | "interval" | "finish">;

export interface TrackScoresOptions {
  /** Microseconds that may be missing inside a window. */
  readonly gap: number;
  /** 1..n. */
  readonly stride: number;
  /** Hears once, before the first score, how the source's rate goes with the model's. */
  readonly paced?: (pace: Pace) => void;
}

/**
 * Gives every face the score that a sequence model has for it, rows in the order they came. Runs of a track, and the steps
 * that are missing in them, are those of `runsOf`, which cuts windows for training; as rows go by, the usual interval is that
 * of the last {@link FRAMES} frames.
 *
 * At the model's rate, and at a coarser one, a step is a frame. Windows of `n` steps go along each run, `stride` steps apart.
 * A window scores those of its steps that none before it scored, so that from the second on each is scored with at least
 * n − `stride` before it. What is left at a run's end is scored by the window of its last `n` steps; a run of fewer gives one
 * window that is filled up. Rows wait for their window, so about `n` frames and a gap are held, and `FRAMES` at the begin.
 *
 * Where frames are closer than the model's steps, each face is scored by the window that ends with it: the faces of its run
 * that are nearest to the times of n − 1 steps before it, each within half a step, else missing.
 */
export async function* trackScores<Row extends Pick<Subject, "index" | "pts" | "track" | "shot">>(
  input: AsyncIterable<Fed<Row>>,
  scorer: Scorer,
  options: TrackScoresOptions,
): AsyncGenerator<Scored<Row>, void, void> {
  const clock = new Clock();
  let tracks: Tracks<Row> | undefined;
  const held: Fed<Row>[] = [];
  const begin = async function* () {
    const pace = paceOf(clock.median, scorer.interval);
    options.paced?.(pace);
    tracks = new Tracks(scorer, options, pace);
    for (const fed of held.splice(0)) yield* tracks.take(fed, clock.usual);
  };
  for await (const fed of input) {
    const isNew = clock.see(fed[0]);
    if (tracks === undefined && isNew && clock.full) yield* begin();
    if (tracks === undefined) held.push(fed);
    else yield* tracks.take(fed, clock.usual);
  }
  if (tracks === undefined) yield* begin();
  yield* tracks!.end();
}

/** Frames whose times say which interval is usual. */
export const FRAMES = 64;

/** The times of a source's last frames. */
class Clock {
  readonly #last: Moment[] = [];
  #intervals: readonly number[] = [];

  /** Whether the row is of another frame than the one before. */
  see({ index, pts }: Moment): boolean {
    if (this.#last.at(-1)?.index === index) return false;
    this.#last.push({ index, pts });
    if (this.#last.length > FRAMES) this.#last.shift();
    this.#intervals = intervalsOf(this.#last);
    return true;
  }

  get full(): boolean {
    return this.#last.length === FRAMES;
  }

  get usual(): number {
    return usualOf(this.#intervals);
  }

  get median(): number {
    return median(this.#intervals);
  }
}

interface Slot<Row> {
  readonly row: Row;
  /** Undefined until it is known. */
  score: FaceScore | null | undefined;
}

/** A face, or a step without one. */
interface Step {
  readonly pts: number;
  readonly features: Float32Array | null;
  readonly slot: Slot<unknown> | null;
}

/** The steps of one track without a long hole. */
interface Run {
  /** The last `n` steps at most, or those that a window can reach, and who waits for the score of each. */
  readonly steps: Step[];
  /** How many at the end of `steps` are not scored yet. */
  fresh: number;
  /** Whether a window of it was scored. */
  begun: boolean;
  readonly shot: number;
  /** Of its first face. */
  readonly first: number;
  /** Number, among the frames of the source, and time of the frame of its last face. */
  frame: number;
  pts: number;
}

class Tracks<Row extends Pick<Subject, "index" | "pts" | "track" | "shot">> {
  readonly #scorer: Scorer;
  readonly #options: TrackScoresOptions;
  readonly #pace: Pace;
  readonly #waiting: Slot<Row>[] = [];
  readonly #runs = new Map<number, Run>();
  /** Frames from the last face of the oldest run on, and how many came before. */
  readonly #frames: Moment[] = [];
  #before = 0;

  constructor(scorer: Scorer, options: TrackScoresOptions, pace: Pace) {
    this.#scorer = scorer;
    this.#options = options;
    this.#pace = pace;
  }

  async *take([row, features]: Fed<Row>, usual: number): AsyncGenerator<Scored<Row>> {
    const limit = limitOf(this.#options.gap, usual);
    if (this.#frames.at(-1)?.index !== row.index) await this.#nextFrame(row, limit);
    const slot: Slot<Row> = { row, score: features === null ? null : undefined };
    this.#waiting.push(slot);
    if (row.track >= 0 && features !== null) {
      const run = await this.#runOf(row, limit, usual);
      await this.#push(run, { pts: row.pts, features, slot });
      Object.assign(run, { frame: this.#before + this.#frames.length - 1, pts: row.pts });
    }
    yield* this.#ready();
  }

  async *end(): AsyncGenerator<Scored<Row>> {
    for (const run of this.#runs.values()) await this.#scoreRest(run);
    yield* this.#ready();
  }

  async #nextFrame({ index, pts }: Row, limit: number): Promise<void> {
    for (const [track, run] of this.#runs) if (pts - run.pts > limit) await this.#close(track, run);
    this.#frames.push({ index, pts });
    const needed = [...this.#runs.values()].reduce(
      (least, { frame }) => Math.min(least, frame),
      Number.POSITIVE_INFINITY,
    );
    const old = Math.min(needed, this.#before + this.#frames.length - 1) - this.#before;
    this.#frames.splice(0, old);
    this.#before += old;
  }

  /** The run that a face goes on with, its missing steps filled in, or a new one. */
  async #runOf({ pts, track, shot }: Row, limit: number, usual: number): Promise<Run> {
    const known = this.#runs.get(track);
    if (known && pts - known.pts <= limit && shot === known.shot) {
      for (let at = known.frame - this.#before; at + 1 < this.#frames.length; at++) {
        const [a, b] = [this.#frames[at]!, this.#frames[at + 1]!];
        for (const lost of lostBetween(a, b, usual)) await this.#push(known, missing(lost));
        if (at + 2 < this.#frames.length) await this.#push(known, missing(b));
      }
      return known;
    }
    if (known) await this.#close(track, known);
    const run = { steps: [], fresh: 0, begun: false, shot, first: pts, frame: 0, pts };
    this.#runs.set(track, run);
    return run;
  }

  async #close(track: number, run: Run): Promise<void> {
    this.#runs.delete(track);
    await this.#scoreRest(run);
  }

  async #push(run: Run, step: Step): Promise<void> {
    const { n } = this.#scorer;
    if (this.#pace.way === "nearest") {
      if (step.features !== null) await this.#scoreNearest(run, step, this.#pace.steps!);
      return;
    }
    run.steps.push(step);
    if (run.steps.length > n) run.steps.shift();
    run.fresh += 1;
    if (run.fresh === (run.begun ? this.#options.stride : n)) await this.#scoreRest(run);
  }

  async #scoreRest(run: Run): Promise<void> {
    const { steps, fresh } = run;
    run.fresh = 0;
    run.begun = true;
    const unscored = steps.slice(steps.length - fresh);
    if (!unscored.some(({ features }) => features !== null)) return;
    const scores = await this.#finish(steps);
    for (const [i, { features, slot }] of unscored.entries())
      if (features !== null && slot !== null) slot.score = scores[steps.length - fresh + i]!;
  }

  /** Scores a face by the window of steps of the model's own length that ends with it. */
  async #scoreNearest(run: Run, face: Step, interval: number): Promise<void> {
    const { n } = this.#scorer;
    const { steps } = run;
    steps.push(face);
    while (steps[0]!.pts < face.pts - (n - 0.5) * interval) steps.shift();
    const reach = Math.floor((face.pts - run.first) / interval + 0.5);
    const window = Array.from({ length: Math.min(n, reach + 1) }, (_, back) =>
      nearest(steps, face.pts - back * interval, interval / 2),
    ).reverse();
    const scores = await this.#finish(window);
    face.slot!.score = scores[window.length - 1]!;
  }

  #finish(steps: readonly (Step | undefined)[]): Promise<readonly FaceScore[]> {
    const padding = new Array<null>(this.#scorer.n - steps.length).fill(null);
    return this.#scorer.finish([...steps.map((step) => step?.features ?? null), ...padding]);
  }

  *#ready(): Generator<Scored<Row>> {
    let n = 0;
    while (n < this.#waiting.length && this.#waiting[n]!.score !== undefined) n += 1;
    for (const { row, score } of this.#waiting.splice(0, n)) yield [row, score!];
  }
}

const missing = ({ pts }: Pick<Moment, "pts">): Step => ({ pts, features: null, slot: null });

/** The step nearest to a time, no further from it than `most`; of two, the later. */
function nearest(steps: readonly Step[], pts: number, most: number): Step | undefined {
  let best: Step | undefined;
  for (const step of steps) {
    const off = Math.abs(step.pts - pts);
    if (off <= most && (best === undefined || off <= Math.abs(best.pts - pts))) best = step;
  }
  return best;
}
