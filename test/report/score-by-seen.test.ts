import { expect, test } from "vitest";
import type { Experiment, ScoresBySeen } from "../../src/report/experiment.ts";
import { scoreBySeen } from "../../src/report/figures/score-by-seen.ts";
import { paletteOf } from "../../src/report/palette.ts";
import { asFile, draw } from "../../src/report/svg.ts";
import { EMPTY, randomExperiment } from "./experiment-fixture.ts";

const experiment = randomExperiment({ lengths: [2, 8, 16] });

async function drawn(changed: Partial<ScoresBySeen> = {}) {
  const own: Experiment = { ...experiment, bySeen: { ...experiment.bySeen, ...changed } };
  const figure = scoreBySeen(own, paletteOf(own));
  const svg = figure === undefined ? "" : asFile(await draw(figure.panels[0]!.spec, "figure"));
  return {
    caption: figure?.caption,
    texts: [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text!),
    svg,
  };
}

const names = (texts: readonly string[]) => texts.filter((text) => /ANCLaF|Shuffled|possible/.test(text)).sort();

test("models of the longest windows and of 8 frames, and the best possible; no controls", async () => {
  const { texts, svg } = await drawn();
  expect(names(texts)).toEqual(["ANCLaF-S-16", "ANCLaF-S-8", "ANCLaF-SA-16", "ANCLaF-SA-8", "Best possible"]);
  expect(svg).not.toMatch(/var\(|NaN|undefined|null/);
  const without = experiment.bySeen.models.filter(({ n }) => n === 2);
  expect(names((await drawn({ models: without })).texts)).toEqual(["ANCLaF-S-2", "ANCLaF-SA-2"]);
});

test("milliseconds stand below frames where the rate is known", async () => {
  expect((await drawn()).texts).toEqual(expect.arrayContaining(["1", "20 ms", "8", "160 ms", "16", "320 ms"]));
  const { texts } = await drawn({ interval: null });
  expect(texts).toContain("16");
  expect(texts.some((text) => text.includes(" ms"))).toBe(false);
});

test("what was planted is marked where data was drawn, its rate is known, and windows reach so far", async () => {
  const marked = await drawn({ planted: 160 });
  expect(marked.texts).toContain("planted: 160 ms");
  expect(marked.caption).toContain("Upright line: 160 ms");
  for (const changed of [{ planted: null }, { planted: 160, interval: null }, { planted: 340 }]) {
    const { texts, caption } = await drawn(changed);
    expect(texts.some((text) => text.includes("planted"))).toBe(false);
    expect(caption).not.toContain("Upright");
  }
});

test("where one number of frames has no score the line has a gap", async () => {
  const own = experiment.bySeen.models.filter(({ family, n }) => family === "ANCLaF-S" && n === 8);
  const whole = own.map((model) => ({
    ...model,
    points: model.points.map((point, i) => ({ ...point, ccc: { mean: i / 10, sd: 0.1 } })),
  }));
  const pieces = (svg: string) =>
    [...svg.matchAll(/<path[^>]* d="(M[^"]*L[^"]*)"[^>]*stroke-width="2"/g)].map(([, d]) => d!.split("M").length - 1);
  expect(pieces((await drawn({ models: whole })).svg)).toContain(1);
  expect(pieces((await drawn({ models: own })).svg)).toContain(2);
});

test("bands are of several runs; nothing without a score", async () => {
  const once = experiment.bySeen.models.map((model) => ({
    ...model,
    points: model.points.map((point) => ({ ...point, ccc: point.ccc && { ...point.ccc, sd: null } })),
  }));
  expect((await drawn()).caption).toContain("Bands");
  expect((await drawn({ models: once })).caption).not.toContain("Bands");
  const unknown = once.map((model) => ({ ...model, points: model.points.map((point) => ({ ...point, ccc: null })) }));
  expect(await drawn({ models: unknown })).toMatchObject({ caption: undefined });
  expect(scoreBySeen(EMPTY, paletteOf(EMPTY))).toBeUndefined();
});
