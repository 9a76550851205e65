import { attentionCorrelation, attentionSteps, type AttentionStep as Step, speedOf } from "./attention.ts";
import type { AttentionWindow, CorrelationRow, Trace } from "./experiment.ts";
import { type AttentionStep, type PredictedStep, readAttention } from "./sequence-files.ts";
import { type Said, type SequenceRun, scoresOf } from "./sequence-runs.ts";

/** Windows of one track, each step with its frame and weights. */
type Windows = readonly (readonly AttentionStep[])[];

/**
 * How attention goes with the labels' movement, for each attending model over all its folds: whether it goes to frames in
 * which valence or arousal changes fast.
 */
export async function sequenceCorrelations(runs: readonly SequenceRun[]): Promise<CorrelationRow[]> {
  const lengths = [...new Set(attending(runs).map(({ n }) => n))].sort((a, b) => a - b);
  const rows: CorrelationRow[] = [];
  // Of two steps the second one has a single state: there is nothing to choose.
  for (const n of lengths.filter((n) => n > 2)) {
    const steps: Record<"valence" | "arousal", Step[]> = { valence: [], arousal: [] };
    for (const run of attending(runs).filter((run) => run.n === n)) {
      const tracks = tracksOf(run.steps);
      for (const [track, windows] of windowsByTrack(await readAttention(run.folder))) {
        const own = tracks.get(track);
        if (own === undefined) continue;
        const pts = own.map((step) => step.pts);
        for (const dimension of ["valence", "arousal"] as const) {
          const speed = speedOf(
            own.map((step) => step[dimension]),
            pts,
          );
          for (const window of placed(windows, own, n))
            steps[dimension].push(
              ...attentionSteps(
                track,
                window,
                window.at.map((at) => speed[at] ?? Number.NaN),
              ),
            );
        }
      }
    }
    for (const dimension of ["valence", "arousal"] as const)
      rows.push({
        family: "ANCLaF-SA",
        n,
        quantity: `|d${dimension === "valence" ? "V" : "A"}/dt| of the labels`,
        result: attentionCorrelation(steps[dimension]),
      });
  }
  return rows;
}

/**
 * The test clip of the first fold in which the labels move most, twice: the frame model beside the longest memory without
 * and with attention (the papers' Figures 2 and 3), and all lengths with attention (Figure 4).
 */
export async function sequenceTraces(
  runs: readonly SequenceRun[],
  frames: readonly { readonly fold: number; readonly steps: readonly Said[] }[],
): Promise<Trace[]> {
  const fold = Math.min(...runs.map((run) => run.fold));
  const own = runs.filter((run) => run.fold === fold);
  const sa = attending(own);
  const shown = sa.length > 0 ? sa : own.filter(({ model }) => model === "anclaf-s");
  const last = shown.reduce<SequenceRun | undefined>((a, b) => (a && a.n > b.n ? a : b), undefined);
  const found = last && liveliest(last.steps);
  if (!last || !found) return [];
  const [track, steps] = found;
  const clip = steps[0]!.clip;
  const frame = frames.find((one) => one.fold === fold);
  const s = own.filter(({ model, n }) => model === "anclaf-s" && n === last.n);
  const base = { clip, fold, ...axes(steps), faces: [] };
  const of = (run: SequenceRun) => ({
    ...seriesOf(run.steps, steps),
    family: run.model === "anclaf-sa" ? "ANCLaF-SA" : "ANCLaF-S",
    n: run.n,
  });
  const frameSeries = frame ? [{ ...seriesOf(frame.steps, steps), family: "ANCLaF", n: null }] : [];
  const both = sa.includes(last) ? [last] : [];
  const traces: Trace[] = [
    {
      ...base,
      title: "With and without memory and attention",
      series: [...frameSeries, ...[...s, ...both].map(of)],
      zooms: zoomsOf(steps, last.n),
      attention: await attentionOf(both, track, steps),
    },
  ];
  if (sa.length > 1)
    traces.push({
      ...base,
      title: "Window lengths",
      series: sa.map(of),
      zooms: zoomsOf(steps, Math.max(32, last.n)).slice(0, 1),
      attention: await attentionOf(sa, track, steps),
    });
  return traces;
}

const attending = (runs: readonly SequenceRun[]) => runs.filter(({ model }) => model === "anclaf-sa");
const trackOf = ({ clip, track }: { readonly clip: string; readonly track: number }) => `${clip}/${track}`;

/** Faces of each track, in time. */
function tracksOf(steps: readonly PredictedStep[]): Map<string, PredictedStep[]> {
  const tracks = new Map<string, PredictedStep[]>();
  for (const step of steps) tracks.set(trackOf(step), [...(tracks.get(trackOf(step)) ?? []), step]);
  for (const own of tracks.values()) own.sort((a, b) => a.pts - b.pts);
  return tracks;
}

function windowsByTrack(steps: readonly AttentionStep[]): Map<string, AttentionStep[][]> {
  const tracks = new Map<string, AttentionStep[][]>();
  for (const step of steps) {
    const windows = tracks.get(trackOf(step)) ?? [];
    tracks.set(trackOf(step), windows);
    if (step.step === 0) windows.push([]);
    windows.at(-1)?.push(step);
  }
  return tracks;
}

/** Windows with the positions of their steps among a track's faces. */
function placed(windows: Windows, steps: readonly PredictedStep[], n: number): AttentionWindow[] {
  const at = new Map(steps.map(({ frame }, i) => [frame, i]));
  return windows.map((window) => ({
    at: Array.from({ length: n }, (_, t) => (window[t] ? (at.get(window[t].frame) ?? -1) : -1)),
    weights: Array.from({ length: n }, (_, t) => {
      const row = new Float64Array(n);
      row.set(Array.from(window[t]?.weights ?? []));
      return row;
    }),
  }));
}

async function attentionOf(runs: readonly SequenceRun[], track: string, steps: readonly PredictedStep[]) {
  return Promise.all(
    runs.map(async (run) => {
      const windows = windowsByTrack(await readAttention(run.folder)).get(track) ?? [];
      return { family: "ANCLaF-SA", n: run.n, windows: placed(windows, steps, run.n) };
    }),
  );
}

/** The track whose valence and arousal go the longest way, among those that are labelled throughout. */
function liveliest(steps: readonly PredictedStep[]): [string, PredictedStep[]] | undefined {
  const way = (own: readonly PredictedStep[]) =>
    own.reduce((sum, { valence, arousal }, i) => {
      const before = own[i - 1];
      return before ? sum + Math.abs(valence - before.valence) + Math.abs(arousal - before.arousal) : 0;
    }, 0);
  const known = [...tracksOf(steps)].filter(([, own]) => Number.isFinite(way(own)));
  return known.sort(([, a], [, b]) => way(b) - way(a))[0];
}

function axes(steps: readonly PredictedStep[]): Pick<Trace, "frames" | "pts" | "truth"> {
  return {
    frames: steps.map(({ frame }) => frame),
    pts: steps.map(({ pts }) => pts),
    truth: { valence: steps.map(({ valence }) => valence), arousal: steps.map(({ arousal }) => arousal) },
  };
}

/** What was said of these faces, by clip and frame. */
function seriesOf(said: readonly Said[], steps: readonly PredictedStep[]) {
  const [{ clip }] = steps as [PredictedStep];
  const byFrame = new Map(said.filter((one) => one.clip === clip).map((one) => [one.frame, one]));
  const own = steps.map(({ frame }) => byFrame.get(frame));
  const counted = own.flatMap((one) => (one ? [one] : []));
  return {
    predicted: {
      valence: own.map((one) => one?.predictedValence ?? Number.NaN),
      arousal: own.map((one) => one?.predictedArousal ?? Number.NaN),
    },
    scores: counted.length > 0 ? scoresOf(counted) : null,
  };
}

/** The pieces of `n` frames in which the labels move most and least, apart from one another. */
function zoomsOf(steps: readonly PredictedStep[], n: number): Trace["zooms"] {
  if (steps.length < 2 * n) return [{ from: 0, to: Math.min(n, steps.length) }];
  const way = (from: number) => {
    let sum = 0;
    for (let i = from + 1; i < from + n; i++)
      sum += Math.abs(steps[i]!.valence - steps[i - 1]!.valence) + Math.abs(steps[i]!.arousal - steps[i - 1]!.arousal);
    return sum;
  };
  const starts = Array.from({ length: Math.floor(steps.length / n) }, (_, k) => k * n).sort((a, b) => way(b) - way(a));
  return [starts[0]!, starts.at(-1)!].sort((a, b) => a - b).map((from) => ({ from, to: from + n }));
}
