import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Experiment } from "../../src/report/experiment.ts";
import { figuresOf } from "../../src/report/figures/index.ts";
import { writeExperimentReport } from "../../src/report/write-report.ts";
import { EMPTY, PIXEL, randomExperiment } from "./experiment-fixture.ts";

let folder: string;
let page: string;
const experiment = randomExperiment({ lengths: [2, 4], frames: 40 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"));
  await writeExperimentReport(experiment, join(folder, "one"));
  page = await readFile(join(folder, "one", "index.html"), "utf8");
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const filesIn = async (place: string) => {
  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(place.length + 1))
    .sort();
};

describe("the page", () => {
  test("needs nothing but itself: no address, no script, no file beside it", () => {
    const rest = page.replaceAll(/xmlns(:xlink)?="http:\/\/www\.w3\.org\/[^"]+"/g, "");
    expect(rest).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(page).not.toMatch(/<script|<link|<iframe|<object|<embed|@import|\bon[a-z]+=/i);
    const sources = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target!);
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((target) => !target.startsWith("#") && !target.startsWith("data:image/"))).toEqual([]);
  });

  test("shows text as text, in markup and in figures", () => {
    expect(page).toContain("007/&#60;script&#62;");
    expect(page).not.toContain("<script>alert");
  });

  test("has every model, every figure, every fact", () => {
    for (const { family, n } of [...experiment.models, ...experiment.paper])
      expect(page).toContain(`<th scope="row">${n === null ? family : `${family}-${n}`}`.replaceAll("'", "&#39;"));
    for (const figure of Object.values(figuresOf(experiment)).flat())
      expect(page).toContain(`<figure id="${figure.id}">`);
    for (const { name, text } of experiment.facts) expect(page).toContain(`<dt>${name}</dt><dd>${text}</dd>`);
    expect(page).toContain("<strong>Not real data.</strong>");
  });

  test("its links lead to sections, and no id is there twice", () => {
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [...page.matchAll(/(?:href="#|url\(#)([^")]+)/g)].map(([, id]) => id!);
    expect(targets.length).toBeGreaterThan(6);
    for (const target of targets) expect(ids).toContain(target);
  });

  test("every colour of a figure is one that the page sets for light and dark", () => {
    const used = new Set([...page.matchAll(/(?:fill|stroke)="var\(--([a-z0-9-]+)\)"/g)].map(([, name]) => name!));
    expect(used.size).toBeGreaterThan(8);
    for (const name of used) expect(page.split(`--${name}:`).length - 1, name).toBeGreaterThanOrEqual(2);
    const figures = page.slice(page.indexOf("<main"));
    const fixed = [...figures.matchAll(/(?:fill|stroke)="(#[^"]*|black|white)"/g)].map(([, colour]) => colour);
    expect(fixed).toEqual([]);
  });
});

describe("files", () => {
  test("each figure is an SVG that parses and a PNG three times its size; tables are CSV", async () => {
    const files = await filesIn(join(folder, "one"));
    const figures = Object.values(figuresOf(experiment)).flat();
    const names = figures.flatMap(({ id, panels }) => panels.map((panel) => (panel.id ? `${id}-${panel.id}` : id)));
    expect(files).toEqual(
      [
        "index.html",
        ...names.flatMap((name) => [`figures/${name}.png`, `figures/${name}.svg`]),
        ...["results", "gain", "seen", "runs", "attention-and-movement", "training", "trace-1", "trace-2"].map(
          (name) => `tables/${name}.csv`,
        ),
      ].sort(),
    );
    for (const name of names) {
      const svg = await readFile(join(folder, "one", "figures", `${name}.svg`), "utf8");
      expect(svg, name).not.toMatch(/var\(|NaN|undefined|null/);
      // librsvg refuses what is not well-formed XML.
      const { width, height } = await sharp(Buffer.from(svg)).metadata();
      const png = await sharp(join(folder, "one", "figures", `${name}.png`)).metadata();
      expect(Math.abs(png.width - 3 * width)).toBeLessThan(4);
      expect(Math.abs(png.height - 3 * height)).toBeLessThan(4);
    }
  });

  test("the same experiment gives the same bytes", { timeout: 300_000 }, async () => {
    const again = randomExperiment({ lengths: [2, 4], frames: 40 });
    await writeExperimentReport(again, join(folder, "two"));
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    expect(await filesIn(two)).toEqual(await filesIn(one));
    for (const name of await filesIn(one))
      expect((await readFile(join(two, name))).equals(await readFile(join(one, name))), name).toBe(true);
  });
});

const small = (change: Partial<Experiment>): Experiment => ({ ...EMPTY, ...change });

describe("little and odd data", () => {
  const write = async (name: string, what: Experiment) => {
    await writeExperimentReport(what, join(folder, name));
    return readFile(join(folder, name, "index.html"), "utf8");
  };

  test("nothing is a page that says so, and no file else", async () => {
    expect(await write("nothing", EMPTY)).toContain("There is nothing to show");
    expect(await filesIn(join(folder, "nothing"))).toEqual(["index.html"]);
  });

  test("one model, one run, one frame", async () => {
    const whole = randomExperiment({ lengths: [8], folds: 1, frames: 20 });
    const [model] = whole.models.filter(({ family }) => family === "ANCLaF-S");
    const [trace] = whole.traces;
    const cut = (values: ArrayLike<number>) => [values[0]!];
    const affect = ({ valence, arousal }: { valence: ArrayLike<number>; arousal: ArrayLike<number> }) => ({
      valence: cut(valence),
      arousal: cut(arousal),
    });
    const one = small({
      models: [model!],
      traces: [
        {
          ...trace!,
          frames: [0],
          pts: [0],
          truth: affect(trace!.truth),
          series: trace!.series.map((each) => ({ ...each, predicted: affect(each.predicted), scores: null })),
          zooms: [{ from: 0, to: 1 }],
          faces: [{ at: 0, image: PIXEL }],
          attention: [{ family: "ANCLaF-SA", n: 8, windows: [{ at: [0], weights: [[0]] }] }],
        },
      ],
    });
    expect(await write("one-frame", one)).toContain("ours, 1 fold");
    const svg = await readFile(join(folder, "one-frame", "figures", "trace-1-zoom-1.svg"), "utf8");
    expect(svg).not.toContain("NaN");
  });

  test("gaps, lost predictions and diverged losses are gaps in lines", async () => {
    const whole = randomExperiment({ lengths: [4], folds: 1, frames: 24 });
    const [trace] = whole.traces;
    const holed = (values: ArrayLike<number>) => Array.from(values, (value, i) => (i % 5 === 0 ? Number.NaN : value));
    const none = (values: ArrayLike<number>) => Array.from(values, () => Number.NaN);
    const odd: Experiment = {
      ...EMPTY,
      traces: [
        {
          ...trace!,
          truth: { valence: none(trace!.truth.valence), arousal: holed(trace!.truth.arousal) },
          series: trace!.series.map((each) => ({
            ...each,
            predicted: { valence: none(each.predicted.valence), arousal: holed(each.predicted.arousal) },
          })),
          attention: trace!.attention.map((each) => ({
            ...each,
            windows: each.windows.map(({ at }) => ({ at, weights: at.map(() => at.map(() => Number.NaN)) })),
          })),
        },
      ],
      curves: whole.curves.map((curve) => ({
        ...curve,
        loss: curve.loss.map((point, i) => (i > 3 ? { ...point, value: Number.POSITIVE_INFINITY } : point)),
      })),
    };
    const text = await write("odd", odd);
    expect(text.match(/[^<>]{0,80}(NaN|Infinity|undefined)[^<>]{0,40}/g) ?? []).toEqual([]);
  });

  test("control characters and halves of characters do not break figures", async () => {
    const [trace] = randomExperiment({ lengths: [2], frames: 12 }).traces;
    const name = { family: "a\u0001b\ud800 \u{1f600} & <b>", n: 2 };
    const series = [{ ...trace!.series[0]!, ...name }];
    const text = await write("odd-names", small({ traces: [{ ...trace!, series, clip: "x\u0000y" }] }));
    expect(text).toContain("a\ufffdb\ufffd \u{1f600} &amp; &lt;b&gt;");
  });
});

describe("the folder", () => {
  test("a report takes an older report's place, whole", async () => {
    const place = join(folder, "again");
    await writeExperimentReport({ ...EMPTY, curves: experiment.curves }, place);
    await writeExperimentReport(EMPTY, place);
    expect(await filesIn(place)).toEqual(["index.html"]);
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("a run's own report.json stays", async () => {
    const place = join(folder, "of-a-run");
    await mkdir(place);
    await writeFile(join(place, "report.json"), "{}");
    await writeExperimentReport(EMPTY, place);
    await writeExperimentReport({ ...EMPTY, title: "Another" }, place);
    expect(await filesIn(place)).toEqual(["index.html", "report.json"]);
    expect(await readFile(join(place, "report.json"), "utf8")).toBe("{}");
  });

  test("what is no report is not lost", async () => {
    const place = join(folder, "mine");
    await mkdir(join(place, "figures"), { recursive: true });
    await writeFile(join(place, "thesis.tex"), "years");
    await expect(writeExperimentReport(EMPTY, place)).rejects.toThrow(/thesis\.tex, which is not of a report/);
    await rm(join(place, "thesis.tex"));
    await writeFile(join(place, "index.html"), "<h1>My home page</h1>");
    await expect(writeExperimentReport(EMPTY, place)).rejects.toThrow(/index\.html, which is not of a report/);
    expect(await readFile(join(place, "index.html"), "utf8")).toBe("<h1>My home page</h1>");
    await expect(writeExperimentReport(EMPTY, join(place, "index.html"))).rejects.toThrow(/not a folder/);
  });

  test("an abort leaves nothing behind", async () => {
    const place = join(folder, "aborted");
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(writeExperimentReport(experiment, place, { signal })).rejects.toThrow("stopped");
    expect((await readdir(folder)).filter((name) => name === "aborted" || name.startsWith("."))).toEqual([]);
  });
});

describe("an experiment that does not fit together", () => {
  const [trace] = experiment.traces;
  const [model] = experiment.models;
  const window = trace!.attention[0]!.windows[0]!;
  test.each<[string, Partial<Experiment>, RegExp]>([
    ["two models of one name", { models: [model!, model!] }, /models: "ANCLaF" is there twice/],
    ["a model without runs", { models: [{ ...model!, runs: [] }] }, /ANCLaF\): it has no runs/],
    ["n of 0", { models: [{ ...model!, n: 0 }] }, /n of ANCLaF: 0 is not a length/],
    [
      "frames seen that skip one",
      {
        bySeen: {
          ...EMPTY.bySeen,
          models: [{ family: "A", n: 2, role: "model", points: [{ seen: 2, ccc: null, frames: 0 }] }],
        },
      },
      /bySeen \(A-2\): it skips a number of frames/,
    ],
    ["no metrics", { metrics: [] }, /metrics: there are none/],
    ["an empty range", { range: [1, 1] }, /range: 1 is not below 1/],
    ["series of another length", { traces: [{ ...trace!, pts: [1] }] }, /pts: it has 1 numbers for 40 frames/],
    [
      "times that stand",
      { traces: [{ ...trace!, pts: Array.from(trace!.pts, () => 0) }] },
      /pts\[1\]: times must rise/,
    ],
    ["a zoom outside", { traces: [{ ...trace!, zooms: [{ from: 30, to: 41 }] }] }, /30 to 41 is not a piece of 40/],
    [
      "a face from elsewhere",
      { traces: [{ ...trace!, faces: [{ at: 0, image: "https://x/y.png" }] }] },
      /not a data URI/,
    ],
    [
      "weights that are not square",
      { traces: [{ ...trace!, attention: [{ family: "A", n: 2, windows: [{ ...window, at: [0, 1] }] }] }] },
      /rows of weights for 2 steps/,
    ],
  ])("%s", async (_, change, message) => {
    const place = join(folder, "refused");
    await expect(writeExperimentReport({ ...EMPTY, ...change }, place)).rejects.toThrow(message);
    expect(await readdir(folder)).not.toContain("refused");
  });
});
