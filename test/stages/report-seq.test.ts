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
import { scoresOf } from "../../src/report/sequence-runs.ts";
import { writeResult } from "../../src/report/training-result.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

const RANGE = { valence: [-1, 1], arousal: [-1, 1] };
/** Of the second clip; the first is shorter. */
const FRAMES = 10;

/** What one training leaves: two test clips, the third frame of which has no label and the sixth no face. */
async function training(output: string, fold: number, model: string, n: number, seed = 1): Promise<PredictedStep[]> {
  const folder = join(output, `fold-${fold}`, `${model}-${n}`);
  await mkdir(folder, { recursive: true });
  const steps = stepsOf(fold, `${model} ${n} ${seed}`);
  await writeStepPredictions(folder, steps);
  const attends = model === "anclaf-sa";
  if (attends) await writeAttention(folder, n, attentionOf(fold, n, seed));
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
    seed,
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
        ...{ clip, track: 0, frame, pts: frame * 50_000, seen: (frame % 2) + 1 },
        valence: frame === 2 ? Number.NaN : valence,
        arousal: frame === 2 ? Number.NaN : arousal,
        predictedValence: valence / 2 + said.normal() / 9,
        predictedArousal: arousal / 2 + said.normal() / 9,
      };
    }).filter(({ frame }) => frame !== 5),
  );
}

/** Windows of n; the last begins n frames before the end, and scores what no other has. */
function attentionOf(fold: number, n: number, seed: number): AttentionStep[] {
  const random = seeded(`weights ${seed}`);
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

async function report({ input, ...values }: { input: string | string[]; output: string; frames: string }) {
  const file = join(import.meta.dirname, "../../pipelines.yaml");
  const { pipelines } = parsePipelines(await readFile(file, "utf8"), file, stages);
  return run(bind(pipelines["report-seq"]!, stages, { ...values, input: [input].flat() }, []), { stages });
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
    '<figure id="score-by-frames-seen">',
    '<figure id="attention-and-movement">',
    '<figure id="validation">',
    '<section id="gain">',
    '<th scope="row">ANCLaF-SA-4 − ANCLaF-S, trained longer-4</th>',
    "pipe run train-seq --n 4 --fold all --controls --seed 1\npipe run report-seq</dd>",
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

  const ccc = (fold: number, model: string) => scoresOf(all.get(`${fold} ${model}`)!).average.ccc;
  const [first, second] = [0, 1].map((fold) => ccc(fold, "anclaf-sa 4") - ccc(fold, "anclaf-s 4")) as [number, number];
  const gain = (await table(output, "gain")).find(({ Difference }) => Difference === "ANCLaF-SA-4 − ANCLaF-S-4")!;
  expect(Number(gain.Mean)).toBeCloseTo((first + second) / 2, 12);
  expect(Number(gain["Standard error"])).toBeCloseTo(Math.abs(first - second) / 2, 12);

  // The same again gives the same page.
  await report(options);
  expect(await readFile(join(output, "index.html"), "utf8")).toBe(page);
});

test("several seeds are one page: scores of all, clips and attention of the first", { timeout: 300_000 }, async () => {
  const [place, one, both] = [await temporary(), join(await temporary(), "one"), join(await temporary(), "both")];
  const folder = (seed: number) => join(place, `seed-${seed}`);
  for (const seed of [2, 1])
    for (const model of ["anclaf-s", "anclaf-sa"]) await training(folder(seed), 0, model, 4, seed);
  await report({ input: folder(1), output: one, frames: place });
  // The order in which they are named decides nothing.
  const { exitCode } = await report({ input: [folder(2), folder(1)], output: both, frames: place });
  expect(exitCode).toBe(0);
  for (const name of ["trace-1", "attention-and-movement"])
    expect(await table(both, name), name).toEqual(await table(one, name));
  const rows = await table(both, "results");
  const own = rows.filter(({ Model, From }) => Model === "ANCLaF-S-4" && From !== "paper");
  expect(own.map(({ From, Frames }) => [From, Frames])).toEqual([
    ["ours, 2 trainings (1 fold × 2 seeds)", (await table(one, "results")).at(-1)!.Frames],
  ]);
  expect(new Set((await table(both, "training")).map(({ Seed }) => Seed))).toEqual(new Set(["1", "2"]));
  expect((await table(both, "gain")).map(({ Pairs }) => Pairs)).toEqual(["2"]);
  const page = await readFile(join(both, "index.html"), "utf8");
  expect(page).toContain("are of seed 1; all else is of all seeds");
  expect(page).toContain(
    "pipe run train-seq --n 4 --fold 0 --seed 1 --output seed-1\npipe run train-seq --n 4 --fold 0 --seed 2 --output seed-2\n" +
      "pipe run report-seq --input seed-1 seed-2",
  );
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
