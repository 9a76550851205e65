import { PipeError } from "../errors.ts";
import { type Affect, type AttentionWindow, differenceOf, type Experiment, nameOf, type Trace } from "./experiment.ts";

/**
 * Throws a PipeError that names what does not fit together: series of different lengths, two models of one name, times
 * that do not rise, pictures that lie outside the page. Numbers that are not finite are no error: they are shown as "–".
 */
export function checkExperiment(experiment: Experiment): void {
  const { range, metrics, models, paper, gains, bySeen, traces, correlations } = experiment;
  if (!(range[0] < range[1])) fail("range", `${range[0]} is not below ${range[1]}`);
  if (metrics.length === 0) fail("metrics", "there are none");
  models.forEach((model, i) => {
    if (model.runs.length === 0) fail(`models[${i}] (${nameOf(model)})`, "it has no runs");
  });
  for (const [where, names] of Object.entries({ models: models.map(nameOf), paper: paper.map(nameOf) }))
    unique(where, names);
  for (const { family, n } of [...models, ...paper])
    if (n !== null && !(Number.isInteger(n) && n > 0)) fail(`n of ${family}`, `${n} is not a length`);
  unique("gains", gains.map(differenceOf));
  for (const gain of gains)
    if (!(Number.isInteger(gain.pairs) && gain.pairs > 0)) fail(`gains (${differenceOf(gain)})`, "it has no pairs");
  unique("bySeen", bySeen.models.map(nameOf));
  for (const model of bySeen.models)
    if (model.points.some(({ seen }, i) => seen !== i + 1))
      fail(`bySeen (${nameOf(model)})`, "it skips a number of frames");
  traces.forEach((trace, i) => {
    checkTrace(`traces[${i}] (${trace.clip})`, trace);
  });
  unique(
    "correlations",
    correlations.map((row) => `${nameOf(row)}, ${row.quantity}`),
  );
}

function checkTrace(where: string, trace: Trace): void {
  const { frames, pts, truth, series, zooms, faces, attention } = trace;
  const { length } = frames;
  if (length === 0) fail(where, "it has no frames");
  const whole = (what: string, { length: found }: ArrayLike<number>) => {
    if (found !== length) fail(`${where}.${what}`, `it has ${found} numbers for ${length} frames`);
  };
  const affect = (what: string, { valence, arousal }: Affect) => {
    whole(`${what}.valence`, valence);
    whole(`${what}.arousal`, arousal);
  };
  whole("pts", pts);
  for (let i = 0; i < length; i++)
    if (!Number.isFinite(pts[i]) || (i > 0 && !(pts[i - 1]! < pts[i]!))) fail(`${where}.pts[${i}]`, "times must rise");
  affect("truth", truth);
  for (const one of series) affect(`series (${nameOf(one)})`, one.predicted);
  unique(`${where}.series`, series.map(nameOf));
  unique(`${where}.attention`, attention.map(nameOf));
  for (const { from, to } of zooms)
    if (!(isPosition(from, length) && isPosition(to - 1, length) && from < to))
      fail(`${where}.zooms`, `${from} to ${to} is not a piece of ${length} frames`);
  for (const { at, image } of faces) {
    if (!isPosition(at, length)) fail(`${where}.faces`, `there is no frame ${at}`);
    if (!/^data:image\/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+$/.test(image))
      fail(`${where}.faces`, `the picture at ${at} is not a data URI of a PNG, JPEG or WebP`);
  }
  for (const one of attention)
    one.windows.forEach((window, w) => {
      checkWindow(`${where}.attention (${nameOf(one)})[${w}]`, window, length);
    });
}

function checkWindow(where: string, { at, weights }: AttentionWindow, frames: number): void {
  if (weights.length !== at.length) fail(where, `it has ${weights.length} rows of weights for ${at.length} steps`);
  for (const row of weights)
    if (row.length !== at.length) fail(where, `a row has ${row.length} weights for ${at.length} steps`);
  for (const position of at)
    if (position !== -1 && !isPosition(position, frames)) fail(where, `there is no frame ${position}`);
}

function isPosition(at: number, length: number): boolean {
  return Number.isInteger(at) && at >= 0 && at < length;
}

function unique(where: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) fail(where, `${JSON.stringify(twice)} is there twice`);
}

function fail(where: string, why: string): never {
  throw new PipeError(`The experiment cannot be reported: ${where}: ${why}.`, {
    hint: "What made the experiment's data put this together wrongly.",
  });
}
