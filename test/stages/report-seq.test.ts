import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import {
  type AttentionStep,
  type PredictedStep,
  writeAttention,
  writeStepPredictions,
} from "../../src/report/sequence-files.ts";
import { writeResult } from "../../src/report/training-result.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const RANGE = { valence: [-1, 1], arousal: [-1, 1] };
/** Of the second clip; the first is shorter. */
const FRAMES = 10;

/** What one training leaves: two test clips, the third frame of which has no label and the sixth no face. */
async function training(output: string, fold: number, model: string, n: number): Promise<PredictedStep[]> {
  const folder = join(output, `fold-${fold}`, `${model}-${n}`);
  await mkdir(folder, { recursive: true });
  const steps = stepsOf(fold, `${model} ${n}`);
  await writeStepPredictions(folder, steps);
  const attends = model === "anclaf-sa";
  if (attends) await writeAttention(folder, n, attentionOf(fold, n));
  const log = [
    { begin: {} },
    { iteration: 1, losses: { "combiner/rmse": 1, "combiner/total": 4 } },
    { iteration: 2, losses: { "combiner/rmse": 1, "combiner/total": null } },
    { iteration: 2, validation: { score: 0.5, cor: 0.1 }, better: true },
  ];
  await writeFile(join(folder, "log.jsonl"), log.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const trained = { iterations: 2, input: "features", preset: "small", best: { iteration: 2 } };
  const facts = {
    model,
    n,
    seed: 1,
    dataset: "sewa",
    range: RANGE,
    trainMean: { valence: 0.1, arousal: 0 },
    ...trained,
  };
  const source = { name: `fold-${fold}`, digest: "d" };
  await writeResult(
    folder,
    { ...{ key: "k", keyParts: {}, source, fold, folds: 3, store: "", data: "", metrics: {} }, facts },
    ["predictions.csv", "log.jsonl", ...(attends ? ["attention.csv"] : [])],
  );
  return steps;
}

const clipsOf = (fold: number) => [
  { clip: `a${fold}`, frames: FRAMES - 2 },
  { clip: `b${fold}`, frames: FRAMES },
];

function stepsOf(fold: number, model: string): PredictedStep[] {
  const [labels, said] = [seeded(fold), seeded(model)];
  return clipsOf(fold).flatMap(({ clip, frames }) =>
    Array.from({ length: frames }, (_, frame) => {
      const [valence, arousal] = [labels.uniform(-1, 1), labels.uniform(-1, 1)];
      return {
        ...{ clip, track: 0, frame, pts: frame * 50_000 },
        valence: frame === 2 ? Number.NaN : valence,
        arousal: frame === 2 ? Number.NaN : arousal,
        predictedValence: valence / 2 + said.normal() / 9,
        predictedArousal: arousal / 2 + said.normal() / 9,
      };
    }).filter(({ frame }) => frame !== 5),
  );
}

/** Windows of n; the last begins n frames before the end, and scores what no other has. */
function attentionOf(fold: number, n: number): AttentionStep[] {
  const random = seeded("weights");
  return clipsOf(fold).flatMap(({ clip, frames }) => {
    const starts = Array.from({ length: Math.ceil(frames / n) }, (_, w) => Math.min(w * n, frames - n));
    return starts.flatMap((start, w) =>
      Array.from({ length: n }, (_, step): AttentionStep => {
        const raw = Array.from({ length: step }, (_, i) => (start + i === 5 ? 0 : random.uniform(0.1, 1)));
        const sum = raw.reduce((all, value) => all + value, 0) || 1;
        return {
          clip,
          track: 0,
          frame: start + step,
          step,
          scored: start + step >= w * n,
          weights: raw.map((x) => x / sum),
        };
      }),
    );
  });
}

async function report(values: { input: string; output: string; frames: string }) {
  const file = join(import.meta.dirname, "../../pipelines.yaml");
  const { pipelines } = parsePipelines(await readFile(file, "utf8"), file, stages);
  return run(bind(pipelines["report-seq"]!, stages, values, []), { stages });
}

const table = async (output: string, name: string) =>
  parse(await readFile(join(output, "tables", `${name}.csv`), "utf8"), { columns: true }) as Record<string, string>[];

test("trainings of all folds and lengths become one page, whose numbers are those of a slow loop", {
  timeout: 300_000,
}, async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  const all = new Map<string, PredictedStep[]>();
  for (const fold of [0, 1])
    for (const [model, n] of [
      ["anclaf-s", 2],
      ["anclaf-s", 4],
      ["anclaf-sa", 4],
      ["longer", 4],
    ] as const)
      all.set(`${fold} ${model} ${n}`, await training(input, fold, model, n));
  const options = { input, output, frames: join(input, "none") };
  const { outcomes, exitCode } = await report(options);
  expect(outcomes[0]!.reason).toBeUndefined();
  expect(exitCode).toBe(0);

  const rows = await table(output, "results");
  const row = (model: string, from: string) => rows.find((each) => each.Model === model && each.From === from)!;
  const errors = [0, 1].map((fold) => {
    let [sum, count] = [0, 0];
    for (const step of all.get(`${fold} anclaf-s 4`)!) {
      if (Number.isNaN(step.valence)) continue;
      sum += (step.predictedValence - step.valence) ** 2;
      count++;
    }
    return Math.sqrt(sum / count);
  });
  expect(Number(row("ANCLaF-S-4", "ours, 2 folds")["RMSE VAL"])).toBeCloseTo((errors[0]! + errors[1]!) / 2, 10);
  expect(row("ANCLaF-S-4", "ours, 2 folds").Frames).toBe(`${2 * (2 * FRAMES - 2 - 2 - 2)}`);
  expect(row("ANCLaF-SA-4", "paper")["CCC VAL"]).toBe("0.526");
  expect(row("Training mean", "ours, 2 folds")["COR VAL"]).toBe("");

  const page = await readFile(join(output, "index.html"), "utf8");
  for (const text of [
    "<h1>ANCLaF-S and ANCLaF-SA on SEWA</h1>",
    "Only 2 of 3 folds are finished",
    "without the controls",
    "2 (100 ms), 4 (200 ms) frames",
    "All 9 frames of clip b0",
    '<figure id="trace-2-zoom-1">',
    '<figure id="attention-and-movement">',
    '<figure id="validation">',
  ])
    expect(page).toContain(text);
  expect(page).not.toContain("Not real data");

  // Steps are counted where they are scored; frame 5 has no face and is neither a step nor a state.
  const counts = { steps: 0, short: 0 };
  for (const { frames } of clipsOf(0))
    for (let frame = 0; frame < frames; frame++) {
      const start =
        frame >= frames - 4 && frame % 4 < 2 && frames % 4 > 0 && frame >= 8 ? frames - 4 : frame - (frame % 4);
      const states = Array.from({ length: frame - start }, (_, i) => start + i).filter((state) => state !== 5).length;
      if (frame === 5 || states === 0) continue;
      counts[states < 3 ? "short" : "steps"] += 2;
    }
  const [moving] = await table(output, "attention-and-movement");
  expect(moving).toMatchObject({ Model: "ANCLaF-SA-4", Movement: "|dV/dt| of the labels" });
  const of = (...names: string[]) => names.reduce((sum, name) => sum + Number(moving![name]), 0);
  expect(of("Steps", "Left out: short", "constant weights", "constant speed", "missing")).toBe(
    counts.steps + counts.short,
  );

  // The same again gives the same page.
  await report(options);
  expect(await readFile(join(output, "index.html"), "utf8")).toBe(page);
});

test("a folder without trainings is told, and nothing is written", async () => {
  const [input, output] = [await temporary(), await temporary()];
  await expect(report({ input, output, frames: input })).rejects.toThrow("no finished training of sequences");
  expect(await readdir(output)).not.toContain("index.html");
});

test("one model of one fold is enough", { timeout: 300_000 }, async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  await training(input, 0, "anclaf-s", 2);
  expect((await report({ input, output, frames: input })).exitCode).toBe(0);
  const page = await readFile(join(output, "index.html"), "utf8");
  expect(page).toContain("a difference between two models may be chance");
  expect(page).not.toContain('<section id="attention">');
});
