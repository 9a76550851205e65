import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import type { Json } from "../../src/digest.ts";
import { metricsOf, spreadOf } from "../../src/nn/metrics.ts";
import { bind, parsePipelines, run } from "../../src/pipelines/index.ts";
import { seeded } from "../../src/random.ts";
import { type PredictedStep, writeAttention, writeStepPredictions } from "../../src/report/sequence-files.ts";
import { namedTrainings } from "../../src/report/sequence-folders.ts";
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
  { dataset = "afew-va", seed = 1, content = "d", keyParts = {} as Json } = {},
): Promise<PredictedStep[]> {
  const folder = join(output, `fold-${fold}`, `${model}-${n}`);
  await mkdir(folder, { recursive: true });
  const random = seeded(`${fold} ${model} ${n} ${seed}`);
  const steps = ["a", "b"].flatMap((clip) =>
    Array.from({ length: FRAMES }, (_, frame): PredictedStep => {
      const [valence, arousal] = [8 * Math.sin(frame / 3 + fold), 5 * Math.cos(frame / 4)];
      const known = !(clip === "b" && frame === 5);
      return {
        clip: `${clip}${fold}`,
        track: 0,
        frame,
        pts: frame * 40_000,
        seen: (frame % n) + 1,
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
    seed,
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
      keyParts,
      source: { name: `fold-${fold}`, digest: content },
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

async function evaluate(input: string | string[], output: string) {
  const file = join(import.meta.dirname, "../../pipelines.yaml");
  const { pipelines } = parsePipelines(await readFile(file, "utf8"), file, stages);
  const inputs = [input].flat();
  const frames = join(inputs[0]!, "none");
  return run(bind(pipelines["evaluate-seq"]!, stages, { input: inputs, output, frames }, []), { stages });
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
  expect((await namedTrainings([input])).map(({ fold, model, n }) => `${fold} ${model} ${n}`)).toEqual(
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
  await trained(input, 1, "anclaf-s", 2, { dataset: "sewa" });
  const { report } = await evaluate(input, output);
  expect(report.items[0]!.reason).toContain("The trainings are of afew-va and sewa");
});

/** Scores of the faces with a label, by a loop. */
function scored(steps: readonly PredictedStep[]) {
  const known = steps.filter(({ valence }) => Number.isFinite(valence));
  const of = (said: (step: PredictedStep) => number, label: (step: PredictedStep) => number) =>
    metricsOf(known.map(said), known.map(label));
  return {
    valence: of(
      (step) => step.predictedValence,
      (step) => step.valence,
    ),
    arousal: of(
      (step) => step.predictedArousal,
      (step) => step.arousal,
    ),
  };
}

const table = async (output: string, name: string) =>
  parse(await readFile(join(output, `${name}.csv`), "utf8"), { columns: true }) as Record<string, string>[];

describe("several seeds, a folder each", () => {
  test("are one experiment: means over folds and seeds, faces counted once, gains pair by pair", async () => {
    const [place, output] = [await temporary(), join(await temporary(), "report")];
    const said = new Map<string, PredictedStep[]>();
    for (const seed of [1, 2, 3])
      for (const fold of [0, 1])
        for (const [model, n] of [
          ["anclaf-s", 2],
          ["anclaf-s", 4],
          ["anclaf-sa", 4],
        ] as const)
          said.set(
            `${model}-${n} ${fold} ${seed}`,
            await trained(join(place, `seed-${seed}`), fold, model, n, { seed }),
          );
    const { outcomes, report, exitCode } = await evaluate(join(place, "seed-*"), output);
    expect(exitCode).toBe(0);
    expect(report.items.map(({ source }) => source.name)).toEqual(["seed-1, seed-2, seed-3"]);
    const of = (name: string) =>
      [1, 2, 3].flatMap((seed) => [0, 1].map((fold) => ({ fold, seed, steps: said.get(`${name} ${fold} ${seed}`)! })));

    const rows = await table(output, "results");
    const mean = rows.find(
      (row) => row.Model === "ANCLaF-S-4" && row.From === "ours, 6 trainings (2 folds × 3 seeds)",
    )!;
    const rmse = of("anclaf-s-4").map(({ steps }) => scored(steps).valence.rmse);
    expect(Number(mean["RMSE VAL"])).toBeCloseTo(spreadOf(rmse).mean, 12);
    expect(Number(mean["RMSE VAL sd"])).toBeCloseTo(spreadOf(rmse).sd!, 12);
    expect(mean.Frames).toBe("94");
    const together = rows.find((row) => row.Model === "ANCLaF-S-4" && row.From === "ours, pooled, 3 times")!;
    const pooled = [1, 2, 3].map((seed) => {
      const steps = of("anclaf-s-4").flatMap((run) => (run.seed === seed ? run.steps : []));
      return scored(steps).arousal.cor;
    });
    expect(Number(together["COR ARO"])).toBeCloseTo(spreadOf(pooled).mean, 12);
    expect(Number(together["COR ARO sd"])).toBeCloseTo(spreadOf(pooled).sd!, 12);
    expect(together.Frames).toBe("94");
    // What is not trained is there once a fold.
    expect(rows.find((row) => row.Model === "Training mean")!.From).toBe("ours, 2 folds");
    expect(await table(output, "runs")).toHaveLength(3 * 2 * 3 + 2);

    const differences: number[] = [];
    for (const fold of [0, 1])
      for (const seed of [1, 2, 3]) {
        const ccc = (name: string) => {
          const { valence, arousal } = scored(said.get(`${name} ${fold} ${seed}`)!);
          return (valence.ccc + arousal.ccc) / 2;
        };
        differences.push(ccc("anclaf-sa-4") - ccc("anclaf-s-4"));
      }
    const sum = differences.reduce((a, b) => a + b, 0);
    const squares = differences.reduce((a, b) => a + (b - sum / 6) ** 2, 0);
    const error = Math.sqrt(squares / 5 / 6);
    const [gain, ...others] = await table(output, "gain");
    expect(others).toEqual([]);
    expect(gain).toMatchObject({
      Difference: "ANCLaF-SA-4 − ANCLaF-S-4",
      Pairs: "6",
      "Beyond 2 standard errors": Math.abs(sum / 6) > 2 * error ? "yes" : "no",
    });
    expect(Number(gain!.Mean)).toBeCloseTo(sum / 6, 12);
    expect(Number(gain!["Standard error"])).toBeCloseTo(error, 12);
    const seen = await table(output, "seen");
    expect(seen.map((row) => `${row.Model} ${row["Frames seen"]} ${row.Milliseconds} ${row.Frames}`)).toEqual([
      ...[1, 2].map((k) => `ANCLaF-S-2 ${k} ${k * 40} ${k === 2 ? 46 : 48}`),
      ...["ANCLaF-S-4", "ANCLaF-SA-4"].flatMap((name) =>
        [1, 2, 3, 4].map((k) => `${name} ${k} ${k * 40} ${k === 2 ? 22 : 24}`),
      ),
    ]);
    const third = of("anclaf-s-4").map(({ steps }) => {
      const { valence, arousal } = scored(steps.filter(({ frame }) => frame % 4 === 2));
      return (valence.ccc + arousal.ccc) / 2;
    });
    const row = seen.find((each) => each.Model === "ANCLaF-S-4" && each["Frames seen"] === "3")!;
    expect(Number(row["CCC AVG"])).toBeCloseTo(spreadOf(third).mean, 12);
    expect(Number(row["CCC AVG sd"])).toBeCloseTo(spreadOf(third).sd!, 12);
    expect(report.facts.bySeen).toMatchObject([
      { model: "ANCLaF-S-2", frames: [48, 46] },
      { model: "ANCLaF-S-4", frames: [24, 22, 24, 24], ccc: { 2: Number(row["CCC AVG"]) } },
      { model: "ANCLaF-SA-4", sd: { 3: expect.any(Number) } },
    ]);
    expect(await readFile(join(output, "tables.md"), "utf8")).toContain("**CCC by frames seen**");
    const text = outcomes[0]!.facts.text as string;
    expect(text).toMatch(
      new RegExp(`^ANCLaF-SA-4 − ANCLaF-S-4 +${(sum / 6).toFixed(4)} +${error.toFixed(4)} +6 `, "m"),
    );
    expect(await readFile(join(output, "tables.md"), "utf8")).toContain("| ANCLaF-SA-4 − ANCLaF-S-4 |");
    expect(report.facts.gain).toEqual([
      {
        model: "ANCLaF-SA-4",
        against: "ANCLaF-S-4",
        difference: Number(gain!.Mean),
        standardError: Number(gain!["Standard error"]),
        pairs: 6,
        beyondTwoErrors: Math.abs(sum / 6) > 2 * error,
      },
    ]);
  });

  test("where a seed lacks a fold, rows say so, and gains are over what both have", async () => {
    const [place, output] = [await temporary(), join(await temporary(), "report")];
    for (const [seed, folds] of [
      [1, [0, 1]],
      [2, [0]],
    ] as const)
      for (const fold of folds) {
        await trained(join(place, `${seed}`), fold, "anclaf-s", 2, { seed });
        if (fold === 0) await trained(join(place, `${seed}`), fold, "longer", 2, { seed });
        if (fold === 0) await trained(join(place, `${seed}`), fold, "anclaf-sa", 2, { seed });
      }
    const { outcomes } = await evaluate(join(place, "*"), output);
    const text = outcomes[0]!.facts.text as string;
    expect(text).toMatch(/^ANCLaF-S-2 +ours, 3 trainings \(2 folds, 2 seeds\) .* 94$/m);
    expect(text).toMatch(/^ANCLaF-S-2 +ours, pooled .* 94$/m);
    expect(text).toMatch(/^ANCLaF-SA-2 +ours, 2 trainings \(1 fold × 2 seeds\) .* 47$/m);
    expect(text).not.toMatch(/^ANCLaF-SA-2 +ours, pooled/m);
    expect(text).toContain("Not every model was trained on every fold with every seed");
    expect((await table(output, "gain")).map((row) => [row.Difference, row.Pairs])).toEqual([
      ["ANCLaF-SA-2 − ANCLaF-S-2", "2"],
      ["ANCLaF-SA-2 − ANCLaF-S, trained longer-2", "2"],
    ]);
  });

  test("folders, folders of folders and globs name them; each counts once", async () => {
    const place = await temporary();
    const names = ["run-1", "run-2"];
    for (const [i, name] of names.entries()) await trained(join(place, name), 0, "anclaf-s", 2, { seed: i + 1 });
    await mkdir(join(place, "run-3", "fold-0"), { recursive: true });
    await symlink(join(place, "run-1"), join(place, "then-linked"));
    const found = async (...patterns: string[]) => {
      const notes: string[] = [];
      const trainings = await namedTrainings(patterns, (note) => notes.push(note));
      return { folders: trainings.map(({ input }) => basename(input)), notes };
    };
    expect(await found(place)).toEqual({ folders: names, notes: [] });
    expect(await found(join(place, "run-2"), join(place, "run-1"))).toEqual({ folders: names.toReversed(), notes: [] });
    expect(await found(join(place, "run-1"), join(place, "then-linked"))).toMatchObject({ folders: ["run-1"] });
    const { folders, notes } = await found(join(place, "run-*"));
    expect([folders, notes]).toEqual([
      names,
      [expect.stringMatching(/run-3 holds no finished training .* passed over/)],
    ]);
    await mkdir(join(place, "far"));
    await symlink(join(place, "run-2"), join(place, "far", "near"));
    expect(await found(join(place, "far"))).toMatchObject({ folders: ["near"] });
    // A link is found by a glob, too, and is the folder that it leads to.
    expect(await found(join(place, "then-*"))).toMatchObject({ folders: ["then-linked"] });
    await writeFile(join(place, "run-4"), "no folder");
    expect((await found(join(place, "run-{1,4}/"))).folders).toEqual(["run-1"]);
    expect(await found(`${place}/**`)).toEqual({ folders: names, notes: [] });
    await expect(found(join(place, "run-1"), join(place, "run-3"))).rejects.toThrow(/run-3 holds no finished training/);
    await expect(found(join(place, "walk-*"))).rejects.toThrow(/glob ".*walk-\*" names no folder with a finished/);
  });

  const parts = {
    data: { split: "s", windows: "w" },
    from: "a",
    rung: { steps: 3 },
    options: { seed: 1, patience: 2 },
  };
  test.each<[string, Parameters<typeof trained>[4], RegExp, string]>([
    ["the same seed", { seed: 1 }, /both hold fold 0, anclaf-s-4, seed 1, which would count twice/, "--seed 2"],
    ["another data set", { dataset: "sewa" }, /not trained with the same data.*dataset: "afew-va" → "sewa"/, "itself"],
    ["other latents", { content: "e" }, /not trained with the same data.*content: "d" → "e"/, "by themselves"],
    [
      "other folds",
      { keyParts: { ...parts, data: { ...parts.data, split: "t" } } },
      /not trained with the same folds.*fold 0, anclaf-s-4: split: "s" → "t"/,
      "--split-seed",
    ],
    [
      "other windows",
      { keyParts: { ...parts, data: { ...parts.data, windows: "v" } } },
      /not trained with the same windows.*windows: "w" → "v"/,
      "window-sequences",
    ],
    ["more steps", { keyParts: { ...parts, rung: { steps: 4 } } }, /the same options.*rung.steps: 3 → 4/, "itself"],
    [
      "other options",
      { keyParts: { ...parts, options: { seed: 2, patience: 1 } } },
      /the same options.*options.patience: 2 → 1/,
      "by themselves",
    ],
  ])("%s is refused, naming both folders, before anything is written", async (_, other, message, hint) => {
    const [place, output] = [await temporary(), join(await temporary(), "report")];
    await trained(join(place, "one"), 0, "anclaf-s", 4, { keyParts: parts });
    await trained(join(place, "two"), 0, "anclaf-s", 4, { keyParts: parts, seed: 2, ...other });
    const refused = await evaluate([join(place, "one"), join(place, "two")], output).catch((error) => error);
    expect(refused.message).toMatch(message);
    expect(refused.message).toMatch(/one and .*two /);
    expect(`${refused.hint}`).toMatch(hint === "itself" ? /by themselves/ : hint);
    await expect(readFile(join(output, "tables.md"))).rejects.toThrow("ENOENT");
  });

  test("another seed's start and options are no difference, and neither is another fold of the same", async () => {
    const place = await temporary();
    const second = { ...parts, from: "b", options: { ...parts.options, seed: 2 } };
    await trained(join(place, "one"), 0, "anclaf-s", 4, { keyParts: parts });
    await trained(join(place, "two"), 0, "anclaf-s", 4, { keyParts: second, seed: 2 });
    // On latents a fold's first training begins with the frame model of that fold.
    const third = { ...second, frame: "of fold 1", data: { split: "of fold 1", windows: "of fold 1" } };
    await trained(join(place, "two"), 1, "anclaf-s", 4, { keyParts: third, seed: 2, content: "of fold 1" });
    expect(await namedTrainings([place])).toHaveLength(3);
  });
});

test("one fold with one seed has gains without an error, and says so", async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  await trained(input, 0, "anclaf-s", 2);
  await trained(input, 0, "anclaf-sa", 2);
  const { outcomes, report } = await evaluate(input, output);
  expect(outcomes[0]!.facts.text).toMatch(/^ANCLaF-SA-2 − ANCLaF-S-2 +-?\d\.\d{4} +– +1 +one pair: not known$/m);
  expect(outcomes[0]!.facts.text).toContain("One pair has no standard error.");
  expect(report.facts.gain).toMatchObject([{ pairs: 1, standardError: null, beyondTwoErrors: null }]);
});

test("nothing to compare is no table", async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  await trained(input, 0, "anclaf-s", 2);
  const { outcomes, report } = await evaluate(input, output);
  expect(outcomes[0]!.facts.text).not.toContain("Gain");
  expect(await readFile(join(output, "tables.md"), "utf8")).not.toContain("Gain");
  expect(report.facts.gain).toEqual([]);
});

test("trainings whose predictions do not say what was seen are named, with what to do", async () => {
  const [input, output] = [await temporary(), join(await temporary(), "report")];
  await trained(input, 0, "anclaf-s", 2);
  const folder = join(input, "fold-0", "anclaf-s-2");
  const lines = (await readFile(join(folder, "predictions.csv"), "utf8")).trim().split("\n");
  const before = lines.map((line) => `${line.split(",").toSpliced(4, 1).join(",")}\n`).join("");
  await writeFile(join(folder, "predictions.csv"), before);
  const { files: _, ...result } = JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
  const { format: __, ...rest } = result;
  await writeResult(folder, rest, ["predictions.csv"]);
  const { report, exitCode } = await evaluate(input, output);
  expect(exitCode).toBe(2);
  expect(report.items[0]!.reason).toMatch(
    /anclaf-s-2\/predictions\.csv: .*no column "seen".*Delete .* only tested again\.$/,
  );
  await expect(readFile(join(output, "tables.md"))).rejects.toThrow("ENOENT");
});
