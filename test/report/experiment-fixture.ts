import { affectMetrics } from "../../src/nn/metrics.ts";
import { type Random, seeded } from "../../src/random.ts";
import { attentionCorrelation, attentionSteps, speedOf } from "../../src/report/attention.ts";
import type {
  AttentionWindow,
  Experiment,
  ModelName,
  ModelResults,
  PaperResults,
  SeenPoint,
  Trace,
  TrainingCurve,
} from "../../src/report/experiment.ts";
import { gainsOf } from "../../src/report/gains.ts";
import { paperRows } from "../../src/systems/anclaf/paper-results.ts";

/** One grey pixel. */
export const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

/** An experiment of random numbers, in the shape of a whole one: three systems, n of 2, 4 and 8, two folds. */
export function randomExperiment({ lengths = [2, 4, 8], folds = 2, frames = 60, face = PIXEL } = {}): Experiment {
  const random = seeded("report");
  const sequences = (family: string): ModelName[] => lengths.map((n) => ({ family, n }));
  const names: (ModelName & { role: ModelResults["role"] })[] = [
    { family: "ANCLaF", n: null, role: "model" },
    ...sequences("ANCLaF-S").map((name) => ({ ...name, role: "model" as const })),
    ...sequences("ANCLaF-SA").map((name) => ({ ...name, role: "model" as const })),
    ...sequences("Shuffled context").map((name) => ({ ...name, role: "control" as const })),
    { family: "Training mean", n: null, role: "baseline" },
    ...sequences("Best possible").map((name) => ({ ...name, role: "oracle" as const })),
  ];
  const attentive = sequences("ANCLaF-SA");
  const models = names.map((name): ModelResults => {
    const of = (fold: number) => scoresOf(random.fork(`${name.family}/${name.n}/${fold}`), name.role === "baseline");
    const runs = Array.from({ length: folds }, (_, fold) => ({ fold, seed: 1, frames: 50, scores: of(fold) }));
    return { ...name, runs, pooled: [of(-1)] };
  });
  const traces = [
    traceOf(random.fork("1"), "With and without attention", frames, [lengths.at(-1)!], face),
    traceOf(random.fork("2"), "Window lengths", frames, lengths, face),
  ];
  return {
    title: "ANCLaF, S and SA on drawn faces",
    dataset: "Drawn faces in AFEW-VA's layout",
    synthetic: "People and clips were drawn from seeds; labels follow what was drawn.",
    range: [-10, 10],
    metrics: ["rmse", "cor", "icc"],
    facts: [
      { name: "Commands", text: "pipe run train-seq --n 8\npipe run report-seq" },
      { name: "Folds", text: `${folds}, by person` },
    ],
    notes: ["Numbers of this test are random."],
    models,
    paper: paperTable(),
    bySeen: {
      interval: 20,
      planted: 40,
      models: names.flatMap(({ role, ...name }) =>
        name.n === null || (role === "oracle" && name.n !== lengths.at(-1))
          ? []
          : [{ ...name, n: role === "oracle" ? null : name.n, role, points: seenPoints(random.fork("seen"), name.n) }],
      ),
    },
    gains: gainsOf(models, [
      ["ANCLaF-S", "ANCLaF"],
      ["ANCLaF-SA", "ANCLaF-S"],
    ]),
    traces,
    correlations: attentive.flatMap((model) =>
      (["|dV/dt| of the labels", "|dA/dt| of the labels"] as const).map((quantity) => ({
        ...model,
        quantity,
        result: attentionCorrelation(
          ["a", "b", "c", "d"].flatMap((clip) => {
            const own = random.fork(`${clip}/${model.n}/${quantity}`);
            return [...windowsOf(own, 40, model.n!)].flatMap((window) => {
              const values = Array.from(window.at, () => own.normal());
              const pts = window.at.map((_, i) => i * 40_000);
              return [...attentionSteps(clip, window, speedOf(values, pts))];
            });
          }),
        ),
      })),
    ),
    curves: [...sequences("ANCLaF-S"), ...attentive].flatMap((name) =>
      Array.from({ length: folds }, (_, fold) =>
        curveOf(random.fork(`curve ${name.family} ${name.n} ${fold}`), name, fold),
      ),
    ),
  };
}

/** Nothing at all, and yet an experiment. */
export const EMPTY: Experiment = {
  title: "Nothing yet",
  dataset: "none",
  synthetic: null,
  range: [-1, 1],
  metrics: ["rmse", "cor", "ccc"],
  facts: [],
  notes: [],
  models: [],
  paper: [],
  gains: [],
  bySeen: { interval: null, planted: null, models: [] },
  traces: [],
  correlations: [],
  curves: [],
};

/** One of them is not known. */
function seenPoints(random: Random, n: number): SeenPoint[] {
  return Array.from({ length: n }, (_, i) => ({
    seen: i + 1,
    ccc: i === 2 ? null : { mean: 0.6 + 0.3 * random.next(), sd: 0.1 * random.next() },
    frames: 25,
  }));
}

function paperTable(): PaperResults[] {
  return paperRows("afew-va").map(({ name, figures }) => {
    const [, family = name, n] = /^Paper: (.+?)(?:-(\d+))?$/.exec(name) ?? [];
    const numbers = (of: object) => of as Readonly<Record<string, number>>;
    return {
      family,
      n: n === undefined ? null : Number(n),
      figures: {
        valence: numbers(figures.valence),
        arousal: numbers(figures.arousal),
        average: numbers(figures.average),
      },
    };
  });
}

function scoresOf(random: Random, constant: boolean) {
  const labels = { valence: series(random, 50), arousal: series(random, 50) };
  const noisy = (values: readonly number[]) =>
    values.map((value) => (constant ? 1 : value * 0.6 + random.normal() * 2));
  return affectMetrics({ valence: noisy(labels.valence), arousal: noisy(labels.arousal) }, labels);
}

/** A walk that stays about 0. */
function series(random: Random, length: number): number[] {
  let value = random.normal() * 3;
  return Array.from({ length }, () => (value = value * 0.95 + random.normal()));
}

function traceOf(random: Random, title: string, frames: number, lengths: readonly number[], face: string): Trace {
  const truth = { valence: series(random, frames), arousal: series(random, frames) };
  const shown: ModelName[] = [
    ...lengths.map((n) => ({ family: "ANCLaF-S", n })),
    ...lengths.map((n) => ({ family: "ANCLaF-SA", n })),
  ];
  const [from, to] = [Math.floor(frames / 3), Math.min(frames, Math.floor(frames / 3) + 32)];
  return {
    title,
    clip: "007/<script>alert(1)</script>",
    fold: 0,
    frames: Array.from({ length: frames }, (_, i) => i),
    pts: Array.from({ length: frames }, (_, i) => i * 40_000),
    truth,
    series: shown.map((name) => {
      const predicted = {
        valence: truth.valence.map((value) => value * 0.7 + random.normal() * 0.6),
        arousal: truth.arousal.map((value) => value * 0.7 + random.normal() * 0.6),
      };
      return { ...name, predicted, scores: affectMetrics(predicted, truth) };
    }),
    zooms: [{ from, to }],
    faces: Array.from({ length: frames }, (_, at) => ({ at, image: face })),
    attention: lengths.map((n) => ({ family: "ANCLaF-SA", n, windows: windowsOf(random, frames, n) })),
  };
}

function windowsOf(random: Random, frames: number, n: number): AttentionWindow[] {
  return Array.from({ length: Math.floor(frames / n) }, (_, w) => ({
    at: Array.from({ length: n }, (_, i) => w * n + i),
    weights: Array.from({ length: n }, (_, t) => {
      const scores = Array.from({ length: n }, (_, i) => (i < t ? Math.exp(random.normal()) : 0));
      const sum = scores.reduce((all, value) => all + value, 0) || 1;
      return scores.map((value) => value / sum);
    }),
  }));
}

function curveOf(random: Random, name: ModelName, fold: number): TrainingCurve {
  const points = Array.from({ length: 30 }, (_, k) => ({
    iteration: (k + 1) * 100,
    value: 3 * Math.exp(-k / 8) + 0.1 * random.next(),
  }));
  return {
    ...name,
    fold,
    seed: 1,
    lossName: "total",
    validationName: "mean of COR + CCC + ICC",
    loss: points,
    validation: points
      .filter((_, k) => k % 5 === 4)
      .map(({ iteration, value }) => ({ iteration, value: 1 - value / 3 })),
    best: 2500,
  };
}
