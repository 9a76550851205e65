import { describe, expect, test } from "vitest";
import { metricsOf, spreadOf } from "../../src/nn/metrics.ts";
import { seeded } from "../../src/random.ts";
import { frameInterval } from "../../src/report/frame-interval.ts";
import { scoresBySeen } from "../../src/report/frames-seen.ts";
import type { PredictedStep } from "../../src/report/sequence-files.ts";
import type { Said, SequenceRun } from "../../src/report/sequence-runs.ts";

const FRAMES = 17;

/** Two clips of 20 ms frames, the sixth of which has no label; windows of n, the last over the end of its clip. */
function run(fold: number, seed: number, model: string, n: number): SequenceRun {
  const [labels, random] = [seeded(fold), seeded(`${fold} ${seed} ${model} ${n}`)];
  const steps = ["a", "b"].flatMap((clip) =>
    Array.from({ length: FRAMES }, (_, frame): PredictedStep => {
      const [valence, arousal] = [labels.normal(), labels.normal()];
      const start = Math.min(Math.floor(frame / n) * n, FRAMES - n);
      return {
        ...{ clip: `${clip}${fold}`, track: 0, frame, pts: frame * 20_000, seen: frame - start + 1 },
        valence: frame === 5 ? Number.NaN : valence,
        arousal: frame === 5 ? Number.NaN : arousal,
        predictedValence: valence + random.normal(),
        predictedArousal: arousal + random.normal(),
      };
    }),
  );
  return { fold, seed, model, n, steps } as unknown as SequenceRun;
}

/** Mean of valence and arousal's CCC, by a loop. */
function cccOf(steps: readonly Said[]): { ccc: number; frames: number } {
  const sides: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const step of steps) {
    if (Number.isNaN(step.valence)) continue;
    sides[0].push(step.predictedValence);
    sides[1].push(step.valence);
    sides[2].push(step.predictedArousal);
    sides[3].push(step.arousal);
  }
  const [v, a] = [metricsOf(sides[0], sides[1]), metricsOf(sides[2], sides[3])];
  return { ccc: (v.ccc + a.ccc) / 2, frames: sides[0].length };
}

const none = { seenOracle: null, plantedMilliseconds: null };

describe("scores by frames seen", () => {
  test("are mean and deviation over folds and seeds, of each number by itself; faces count once", () => {
    const runs = [1, 2].flatMap((seed) =>
      [0, 1].flatMap((fold) => [run(fold, seed, "anclaf-s", 3), run(fold, seed, "anclaf-sa", 5)]),
    );
    const { models, interval, planted } = scoresBySeen({ runs, ...none, plantedMilliseconds: 40 });
    expect(models.map(({ family, n, role }) => [family, n, role])).toEqual([
      ["ANCLaF-S", 3, "model"],
      ["ANCLaF-SA", 5, "model"],
    ]);
    expect([interval, planted]).toEqual([20, 40]);
    for (const { n, points } of models) {
      expect(points.map(({ seen }) => seen)).toEqual(Array.from({ length: n! }, (_, i) => i + 1));
      for (const { seen, ccc, frames } of points) {
        const own = runs
          .filter((one) => one.n === n)
          .map(({ steps }) => cccOf(steps.filter((step) => step.seen === seen)));
        const { mean, sd } = spreadOf(own.map((one) => one.ccc));
        expect(ccc!.mean).toBeCloseTo(mean, 12);
        expect(ccc!.sd).toBeCloseTo(sd!, 12);
        expect(frames).toBe(own[0]!.frames * 2);
      }
    }
    // Of 17 frames of a clip windows of 5 score three at each place, and the last window two at its end.
    expect(models[1]!.points.map(({ frames }) => frames)).toEqual([8, 12, 12, 16, 16].map((faces) => faces));
  });

  test("of one fold have no deviation; a number that no face has, or no labelled one, has no score", () => {
    const one = run(0, 1, "anclaf-s", 4);
    const steps = one.steps
      .filter(({ seen }) => seen !== 2)
      .map((step) => (step.seen === 3 ? { ...step, valence: Number.NaN, arousal: Number.NaN } : step));
    const [model, ...others] = scoresBySeen({ runs: [{ ...one, steps }], ...none }).models;
    expect(others).toEqual([]);
    const own = cccOf(steps.filter(({ seen }) => seen === 4));
    expect(model!.points).toMatchObject([
      { seen: 1, ccc: { sd: null } },
      { seen: 2, ccc: null, frames: 0 },
      { seen: 3, ccc: null, frames: 0 },
      { seen: 4, ccc: { mean: expect.closeTo(own.ccc, 12), sd: null }, frames: own.frames },
    ]);
  });

  test("a run without such a face is left out of the mean; constant predictions are no score", () => {
    const runs = [run(0, 1, "anclaf-s", 2), run(1, 1, "anclaf-s", 2)];
    const [first, second] = runs as [SequenceRun, SequenceRun];
    const short = { ...first, steps: first.steps.filter(({ seen }) => seen === 1) };
    const point = (given: readonly SequenceRun[], at: number) =>
      scoresBySeen({ runs: given, ...none }).models[0]!.points[at]!;
    expect(point([short, second], 1)).toEqual(point([second], 1));
    const constant = first.steps.map((step) => ({ ...step, predictedValence: 1, predictedArousal: 1 }));
    expect(point([{ ...first, steps: constant }], 0).ccc).toBeNull();
  });

  test("the best possible is of all faces with so many frames up to them, once a fold", () => {
    const runs = [1, 2].flatMap((seed) => [0, 1].map((fold) => run(fold, seed, "anclaf-s", 4)));
    const said = (frames: number, { valence, arousal, frame }: Said) => ({
      valence: valence + Math.sin(frame * frames),
      arousal: arousal - 1 / frames,
    });
    const seenOracle = (frames: number) => (face: Said) => (face.frame + 1 < frames ? null : said(frames, face));
    const best = scoresBySeen({ runs, seenOracle, plantedMilliseconds: null }).models.at(-1)!;
    expect([best.family, best.n, best.role, best.points.length]).toEqual(["Best possible", null, "oracle", 4]);
    for (const { seen, ccc, frames } of best.points) {
      const own = [0, 1].map((fold) => {
        const faces: Said[] = [];
        for (const step of runs.find((one) => one.fold === fold)!.steps) {
          if (step.frame < seen - 1) continue;
          const { valence, arousal } = said(seen, step);
          faces.push({ ...step, predictedValence: valence, predictedArousal: arousal });
        }
        return cccOf(faces);
      });
      const { mean, sd } = spreadOf(own.map((one) => one.ccc));
      expect(ccc).toEqual({ mean: expect.closeTo(mean, 12), sd: expect.closeTo(sd!, 12) });
      expect(frames).toBe(own[0]!.frames + own[1]!.frames);
    }
  });
});

describe("the time between frames", () => {
  const at = (clip: string, ...milliseconds: number[]) =>
    milliseconds.map((ms) => ({ clip, track: 0, pts: ms * 1000 }));
  test("is the usual one, whatever is missing", () => {
    expect(frameInterval([...at("a", 0, 40, 80, 160, 200, 240), ...at("b", 0, 40)])).toBe(40);
  });
  test("is not known of one frame a clip, and of clips of two rates", () => {
    expect(frameInterval([...at("a", 0), ...at("b", 40)])).toBeNull();
    expect(frameInterval([...at("a", 0, 20, 40, 60), ...at("b", 0, 40, 80)])).toBeNull();
  });
});
