import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { metricsOf, spreadOf } from "../../src/nn/metrics.ts";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import { type PredictedStep, writeAttention, writeStepPredictions } from "../../src/report/sequence-files.ts";
import { sequenceRuns } from "../../src/report/sequence-runs.ts";
import { writeResult } from "../../src/report/training-result.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const RANGE = { valence: [-10, 10], arousal: [-10, 10] };
const FRAMES = 24;

/** What a training of one fold leaves: two clips, of which one face has no label. */
async function trained(
  output: string,
  fold: number,
  model: string,
  n: number,
  dataset = "afew-va",
): Promise<PredictedStep[]> {
  const folder = join(output, `fold-${fold}`, `${model}-${n}`);
  await mkdir(folder, { recursive: true });
  const random = seeded(`${fold} ${model} ${n}`);
  const steps = ["a", "b"].flatMap((clip) =>
    Array.from({ length: FRAMES }, (_, frame): PredictedStep => {
      const [valence, arousal] = [8 * Math.sin(frame / 3 + fold), 5 * Math.cos(frame / 4)];
      const known = !(clip === "b" && frame === 5);
      return {
        clip: `${clip}${fold}`,
        track: 0,
        frame,
        pts: frame * 40_000,
        valence: known ? valence : Number.NaN,
        arousal: known ? arousal : Number.NaN,
        predictedValence: valence + random.uniform(-4, 4),
        predictedArousal: arousal + random.uniform(-4, 4),
      };
    }),
  );
  await writeStepPredictions(folder, steps);
  const files = ["predictions.csv", "log.jsonl"];
  if (model === "anclaf-sa") {
    const rows = steps.map(({ clip, track, frame }) => {
      const step = frame % n;
      const weights = Array.from({ length: step }, () => random.uniform(0.1, 1));
      const sum = weights.reduce((a, b) => a + b, 0);
      return { clip, track, frame, step, scored: true, weights: weights.map((weight) => weight / sum) };
    });
    await writeAttention(folder, n, rows);
    files.push("attention.csv");
  }
  const lines = [
    { begin: {} },
    { iteration: 10, losses: { rmse: 1, total: 5 } },
    { iteration: 10, validation: { score: 0.5 }, better: true },
  ];
  await writeFile(join(folder, "log.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const facts = {
    model,
    n,
    seed: 1,
    dataset,
    range: RANGE,
    trainMean: { valence: 0.5, arousal: -0.5 },
    best: { iteration: 10, validation: { score: 0.5 } },
    iterations: 20,
    input: "features",
    preset: "small",
  };
  await writeResult(
    folder,
    {
      key: "k",
      keyParts: {},
      source: { name: `fold-${fold}`, digest: "d" },
      fold,
      folds: 5,
      store: "",
      data: "",
      metrics: {},
      facts,
    },
    files,
  );
  return steps;
}

async function evaluate(input: string, output: string) {
  const file = join(import.meta.dirname, "../../pipelines.yaml");
  const { pipelines } = parsePipelines(await readFile(file, "utf8"), file, stages);
  const frames = join(input, "none");
  return run(bind(pipelines["evaluate-seq"]!, stages, { input, output, frames }, []), { stages });
}

test("every finished training is in the table, mean over folds and n, beside the paper and the training mean", async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  const models = [
    ["anclaf-s", 2],
    ["anclaf-s", 4],
    ["anclaf-sa", 4],
    ["uniform", 4],
  ] as const;
  const all = new Map<string, PredictedStep[][]>();
  for (const fold of [0, 1])
    for (const [model, n] of models)
      all.set(`${model}-${n}`, [...(all.get(`${model}-${n}`) ?? []), await trained(input, fold, model, n)]);
  expect((await sequenceRuns(input)).map(({ fold, model, n }) => `${fold} ${model} ${n}`)).toEqual(
    [0, 1].flatMap((fold) => models.map(([model, n]) => `${fold} ${model} ${n}`)),
  );
  const { outcomes, exitCode } = await evaluate(input, output);
  expect(exitCode).toBe(0);
  const text = outcomes[0]!.facts.text as string;
  const row = (name: string, from: string) =>
    text.split("\n").find((line) => line.startsWith(`${name} `) && line.includes(from));
  for (const [name, key] of [
    ["ANCLaF-S-2", "anclaf-s-2"],
    ["ANCLaF-SA-4", "anclaf-sa-4"],
    ["ANCLaF-SA, even weights-4", "uniform-4"],
  ] as const) {
    const rmse = all.get(key)!.map((steps) => {
      const known = steps.filter(({ valence }) => Number.isFinite(valence));
      return metricsOf(
        known.map((step) => step.predictedValence),
        known.map((step) => step.valence),
      ).rmse;
    });
    const { mean, sd } = spreadOf(rmse);
    expect(row(name, "ours, 2 folds"), name).toContain(`${mean.toFixed(3)} ± ${sd!.toFixed(3)}`);
    expect(row(name, "ours, 2 folds")).toMatch(/ 94$/);
    expect(row(name, "pooled")).toBeDefined();
  }
  expect(row("ANCLaF-S-AVG", "mean over n")).toBeDefined();
  expect(row("ANCLaF-S-2", "paper")).toContain("2.675");
  expect(row("Training mean", "ours, 2 folds")).toBeDefined();
  expect(text).toContain("3 of 5 folds are not finished");
  expect(await readFile(join(output, "tables.md"), "utf8")).toContain("| ANCLaF-SA-4 | ours, pooled |");
  expect((await readFile(join(output, "runs.csv"), "utf8")).trim().split("\n")).toHaveLength(
    1 + 2 * (models.length + 1),
  );
});

test("refuses what is no training of sequences, and two data sets in one table", async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  await expect(evaluate(input, output)).rejects.toThrow("holds no finished training of sequences");
  await trained(input, 0, "anclaf-s", 2);
  await trained(input, 1, "anclaf-s", 2, "sewa");
  const { report } = await evaluate(input, output);
  expect(report.items[0]!.reason).toContain("The trainings are of afew-va and sewa");
});
