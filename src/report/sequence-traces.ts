import { attentionCorrelation, attentionSteps, speedOf } from "./attention.ts";
import type { AttentionWindow, CorrelationRow, ModelName, Trace, TraceAttention, TraceSeries } from "./experiment.ts";
import { FAMILIES } from "./sequence-families.ts";
import { type AttentionStep, type PredictedStep, readAttention } from "./sequence-files.ts";
import { type Said, type SequenceRun, scoresOf } from "./sequence-runs.ts";

/** A test clip's face track, in time. */
export interface TestTrack {
  readonly clip: string;
  readonly track: number;
  readonly frames: readonly number[];
  /** Microseconds. */
  readonly pts: readonly number[];
  /** Native units; NaN where there is no label. */
  readonly valence: readonly number[];
  readonly arousal: readonly number[];
}

/** How fast something moves at a track's frames, of any unit; NaN where that is not known. */
export interface Movement {
  readonly name: string;
  readonly speed: (track: TestTrack) => ArrayLike<number>;
}

/** What the labels do: |dV/dt| and |dA/dt|. */
export const LABELS_MOVE: readonly Movement[] = [
  { name: "|dV/dt| of the labels", speed: ({ valence, pts }) => speedOf(valence, pts) },
  { name: "|dA/dt| of the labels", speed: ({ arousal, pts }) => speedOf(arousal, pts) },
];

/**
 * Whether attention goes to what moves: of every model that attends and every movement, over all its test clips. A step
 * counts in the window that scores it.
 */
export async function sequenceCorrelations(
  runs: readonly SequenceRun[],
  movements: readonly Movement[],
): Promise<CorrelationRow[]> {
  const attending = runs.filter(({ model }) => model === ATTENDS);
  const lengths = [...new Set(attending.map(({ n }) => n))].sort((a, b) => a - b);
  const rows: CorrelationRow[] = [];
  for (const n of lengths) {
    const clips = await Promise.all(
      attending
        .filter((run) => run.n === n)
        .map(async ({ folder, steps }) => ({
          tracks: tracksOf(steps),
          windows: windowsOf(await readAttention(folder)),
        })),
    );
    for (const { name, speed } of movements)
      rows.push({ ...nameOf(ATTENDS, n), quantity: name, result: attentionCorrelation(stepsOf(clips, speed)) });
  }
  return rows;
}

/**
 * The papers' Figures 2 to 4 of one clip, the longest of the first fold's test people: single frames beside memory over n,
 * memory without and with attention, attention over n. What is drawn larger is where the labels move most.
 *
 * @param frames what the frame models said, by fold; none where they are not to be had
 */
export async function sequenceTraces(
  runs: readonly SequenceRun[],
  frames: readonly { readonly fold: number; readonly steps: readonly Said[] }[],
): Promise<Trace[]> {
  const { fold, seed } = runs[0]!;
  const own = runs.filter((run) => run.fold === fold && run.seed === seed);
  const track = longest(tracksOf(own[0]!.steps));
  if (track === undefined) return [];
  const of = async (model: string): Promise<Drawn[]> =>
    Promise.all(
      own
        .filter((run) => run.model === model)
        .sort((a, b) => a.n - b.n)
        .map(async ({ n, steps, folder }) => ({
          ...nameOf(model, n),
          steps,
          windows: model === ATTENDS ? windowsOf(await readAttention(folder)) : [],
        })),
    );
  const [memory, attention] = [await of("anclaf-s"), await of(ATTENDS)];
  const said = frames.find((frame) => frame.fold === fold)?.steps;
  const still: Drawn[] = said ? [{ family: "ANCLaF", n: null, steps: said, windows: [] }] : [];
  const both = attention.filter(({ n }) => memory.some((other) => other.n === n));
  // The papers' own choice, their best.
  const shown = both.find(({ n }) => n === 8) ?? both.at(-1);
  return [
    ...(memory.length > 0 ? [traceOf("Single frames and memory", track, fold, [...still, ...memory])] : []),
    ...(shown
      ? [traceOf("Memory with and without attention", track, fold, [...memory.filter(({ n }) => n === shown.n), shown])]
      : []),
    ...(attention.length > 1 ? [traceOf("Attention over windows of all lengths", track, fold, attention)] : []),
  ];
}

/** The model whose weights are kept. */
const ATTENDS = "anclaf-sa";

const nameOf = (model: string, n: number): ModelName => ({ family: FAMILIES[model]!.family, n });

interface Drawn extends ModelName {
  readonly steps: readonly (Said & { readonly track?: number })[];
  readonly windows: readonly AttendedWindow[];
}

/** One window of a model that attends, in the lines of `attention.csv`. */
type AttendedWindow = readonly [AttentionStep, ...AttentionStep[]];

const trackName = ({ clip, track }: Pick<TestTrack, "clip" | "track">) => JSON.stringify([clip, track]);

/** In the order of their first lines. */
function tracksOf(steps: readonly PredictedStep[]): TestTrack[] {
  const tracks = new Map<string, PredictedStep[]>();
  for (const step of steps) {
    const own = tracks.get(trackName(step));
    if (own) own.push(step);
    else tracks.set(trackName(step), [step]);
  }
  return [...tracks.values()].map((own) => {
    own.sort((a, b) => a.pts - b.pts);
    return {
      clip: own[0]!.clip,
      track: own[0]!.track,
      frames: own.map(({ frame }) => frame),
      pts: own.map(({ pts }) => pts),
      valence: own.map(({ valence }) => valence),
      arousal: own.map(({ arousal }) => arousal),
    };
  });
}

/** Each window begins with step 0. */
function windowsOf(steps: readonly AttentionStep[]): AttendedWindow[] {
  const windows: [AttentionStep, ...AttentionStep[]][] = [];
  for (const step of steps) {
    const last = windows.at(-1);
    if (step.step === 0 || last === undefined) windows.push([step]);
    else last.push(step);
  }
  return windows;
}

/** A window's steps among a track's frames; a frame that was not predicted is missing. */
function placed(window: AttendedWindow, positions: ReadonlyMap<number, number>): AttentionWindow {
  return {
    at: window.map(({ frame }) => positions.get(frame) ?? -1),
    weights: window.map(({ weights }) => Float64Array.from(window, (_, i) => weights[i] ?? 0)),
  };
}

function positionsOf({ frames }: TestTrack): ReadonlyMap<number, number> {
  return new Map(frames.map((frame, i) => [frame, i]));
}

interface Attended {
  readonly tracks: readonly TestTrack[];
  readonly windows: readonly AttendedWindow[];
}

function* stepsOf(clips: readonly Attended[], speed: Movement["speed"]) {
  for (const { tracks, windows } of clips) {
    const known = new Map(
      tracks.map((track) => [trackName(track), { positions: positionsOf(track), speed: speed(track) }]),
    );
    for (const window of windows) {
      const track = known.get(trackName(window[0]));
      if (track === undefined) continue;
      const own = placed(window, track.positions);
      const speeds = own.at.map((position) => track.speed[position] ?? Number.NaN);
      for (const { t, ...step } of attentionSteps(window[0].clip, own, speeds)) if (window[t]!.scored) yield step;
    }
  }
}

/** The one with the most labels; the first of those with as many. */
function longest(tracks: readonly TestTrack[]): TestTrack | undefined {
  const labelled = ({ valence }: TestTrack) => valence.filter((label) => !Number.isNaN(label)).length;
  const most = Math.max(...tracks.map(labelled));
  return tracks.find((track) => labelled(track) === most);
}

/** Frames that are drawn larger: the papers' longest window. */
const ZOOM = 32;

/** From a multiple of its length, so that windows of all shorter powers of two begin with it. */
function liveliest({ pts, valence, arousal }: TestTrack): { from: number; to: number } {
  const moves = [speedOf(valence, pts), speedOf(arousal, pts)];
  const way = (from: number) => {
    let sum = 0;
    for (let i = from; i < from + ZOOM; i++) for (const speed of moves) sum += speed[i]! || 0;
    return sum;
  };
  const starts = Array.from({ length: Math.floor(pts.length / ZOOM) }, (_, k) => k * ZOOM);
  const from = starts.reduce((best, start) => (way(start) > way(best) ? start : best), 0);
  return { from, to: Math.min(from + ZOOM, pts.length) };
}

function traceOf(title: string, track: TestTrack, fold: number, models: readonly Drawn[]): Trace {
  const { clip, frames, pts, valence, arousal } = track;
  const positions = positionsOf(track);
  return {
    ...{ title, clip, fold, frames, pts },
    truth: { valence, arousal },
    series: models.map((model) => seriesOf(model, track, positions)),
    zooms: [liveliest(track)],
    faces: [],
    attention: models.flatMap(({ family, n, windows }): TraceAttention[] => {
      const own = windows.filter(([first]) => trackName(first) === trackName(track));
      return own.length === 0 ? [] : [{ family, n, windows: own.map((window) => placed(window, positions)) }];
    }),
  };
}

function seriesOf(
  { family, n, steps }: Drawn,
  { clip, track, frames }: TestTrack,
  positions: ReadonlyMap<number, number>,
): TraceSeries {
  const predicted = { valence: frames.map(() => Number.NaN), arousal: frames.map(() => Number.NaN) };
  const own = steps.filter((step) => step.clip === clip && (step.track ?? track) === track);
  for (const { frame, predictedValence, predictedArousal } of own) {
    const at = positions.get(frame);
    if (at === undefined) continue;
    predicted.valence[at] = predictedValence;
    predicted.arousal[at] = predictedArousal;
  }
  const known = own.filter(({ valence, arousal }) => !Number.isNaN(valence) && !Number.isNaN(arousal));
  return { family, n, predicted, scores: known.length === 0 ? null : scoresOf(known) };
}
