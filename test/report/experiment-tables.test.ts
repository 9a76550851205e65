import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { affectMetrics } from "../../src/nn/metrics.ts";
import type { Experiment, ModelResults } from "../../src/report/experiment.ts";
import { correlationTable, curveTable, resultTable, runTable, traceTable } from "../../src/report/experiment-tables.ts";
import { type Cell, toCsv } from "../../src/report/table.ts";
import { EMPTY, randomExperiment } from "./experiment-fixture.ts";

const truth = [1, 2, 3, 5];
const scores = (predictions: readonly number[]) =>
  affectMetrics({ valence: predictions, arousal: truth }, { valence: truth, arousal: truth });
const run = (fold: number, predictions: readonly number[]) => ({
  fold,
  seed: 1,
  frames: 4,
  scores: scores(predictions),
});
const model = (runs: ModelResults["runs"], name = { family: "M", n: 2 as number | null }): ModelResults => ({
  ...name,
  role: "model",
  runs,
  pooled: [],
});
const tableOf = (experiment: Partial<Experiment>) => resultTable({ ...EMPTY, ...experiment });
const cellsOf = (rows: readonly (readonly Cell[])[], name: string) => rows.filter(([first]) => first === name);

describe("the main table", () => {
  test("each of the papers' rows has ours below, both with all nine numbers", () => {
    const experiment = randomExperiment({ lengths: [2, 4], frames: 8 });
    const { columns, rows } = resultTable(experiment);
    expect(columns).toEqual([
      ...["Model", "From", "RMSE VAL", "RMSE ARO", "RMSE AVG", "COR VAL", "COR ARO", "COR AVG"],
      ...["ICC VAL", "ICC ARO", "ICC AVG", "Frames"],
    ]);
    for (const row of rows) expect(row).toHaveLength(columns.length);
    for (const name of ["ANCLaF", "ANCLaF-S-2", "ANCLaF-SA-4"]) {
      const [paper, mean, pooled] = cellsOf(rows, name);
      expect([paper?.[1], mean?.[1], pooled?.[1]]).toEqual(["paper", "ours, 2 folds", "ours, pooled"]);
    }
    expect(cellsOf(rows, "ANCLaF-S-2")[0]!.slice(2, 11)).toEqual([
      2.675, 2.295, 2.485, 0.314, 0.41, 0.362, 0.236, 0.296, 0.266,
    ]);
    for (const { family, n } of [...experiment.models, ...experiment.paper])
      expect(cellsOf(rows, n === null ? family : `${family}-${n}`).length, `${family} ${n}`).toBeGreaterThan(0);
  });

  test("mean and deviation are over runs; a family's -AVG row is the mean over n", () => {
    const [near, far] = [run(0, [1, 2, 3, 6]), run(1, [2, 2, 3, 8])];
    const { rows } = tableOf({
      metrics: ["rmse"],
      models: [model([near, far]), model([far], { family: "M", n: 4 })],
    });
    const values = [near, far].map(({ scores }) => scores.valence.rmse);
    const mean = (values[0]! + values[1]!) / 2;
    const [, , cell] = cellsOf(rows, "M-2")[0]!;
    const { value, sd } = cell as { value: number; sd: number };
    expect(value).toBeCloseTo(mean, 12);
    expect(sd).toBeCloseTo(Math.abs(values[0]! - values[1]!) / Math.SQRT2, 12);
    expect(cellsOf(rows, "M-AVG")[0]![2]).toBeCloseTo((mean + values[1]!) / 2, 12);
    expect(cellsOf(rows, "M-2")[0]!.at(-1)).toBe(8);
  });

  test("what is undefined in every run is no number; in some it counts as 0; a note says which", () => {
    const constant = run(1, [2, 2, 2, 2]);
    const never = tableOf({ models: [model([constant])] });
    const [, , , , , cor, , average] = never.rows[0]!;
    expect([cor, (average as { value: number }).value]).toEqual([null, 0.5]);
    expect(never.notes.join(" ")).toContain("M-2, valence: predictions are constant in every run");
    const some = tableOf({ models: [model([run(0, truth), constant])] });
    expect(some.rows[0]![5]).toMatchObject({ value: 0.5 });
    expect(some.notes.join(" ")).toContain(
      "constant in fold 1 seed 1; COR, CCC and ICC are undefined there and count as 0",
    );
  });

  test("a number that is not one is not shown, and neither is a mean with it", () => {
    const lost = run(0, truth);
    const unknown = { ...lost, scores: { ...lost.scores, valence: { ...lost.scores.valence, rmse: Number.NaN } } };
    const { rows, notes } = tableOf({ models: [model([run(1, truth), unknown])] });
    expect(rows[0]![2]).toBeNull();
    expect(rows[0]![5]).toMatchObject({ value: 1 });
    expect(notes.join(" ")).toContain("M-2, valence: RMSE not known.");
  });

  test("the papers' rows say what they are of", () => {
    const paper = [{ family: "P", n: null, figures: { valence: { rmse: 1 }, arousal: {}, average: {} } }];
    expect(tableOf({ paper, synthetic: "Drawn." }).notes.join(" ")).toContain("other labels");
    expect(tableOf({ paper, dataset: "SEWA" }).notes.join(" ")).toContain("one run each on SEWA");
    expect(tableOf({ paper }).rows).toEqual([["P", "paper", 1, ...Array(8).fill(null), null]]);
    expect(tableOf({}).rows).toEqual([]);
  });
});

test("every run has a row, with all metrics", () => {
  const experiment = randomExperiment({ lengths: [2], folds: 3, frames: 8 });
  const { rows, columns } = runTable(experiment);
  expect(rows).toHaveLength(experiment.models.length * 3);
  expect(columns.filter((column) => column.endsWith("VAL"))).toEqual(["RMSE VAL", "COR VAL", "CCC VAL", "ICC VAL"]);
  expect(new Set(rows.map((row) => row.length))).toEqual(new Set([columns.length]));
});

test("a trace's table has its series and each frame's weight, once", () => {
  const [trace] = randomExperiment({ lengths: [4], frames: 9 }).traces;
  const overlapping = trace!.attention[0]!.windows[0]!;
  const { columns, rows } = traceTable({
    ...trace!,
    attention: [{ family: "ANCLaF-SA", n: 4, windows: [overlapping, { ...overlapping, at: [2, 3, 4, 5] }] }],
  });
  expect(columns).toEqual([
    ...["frame", "pts", "valence", "arousal", "ANCLaF-S-4 valence", "ANCLaF-S-4 arousal"],
    ...["ANCLaF-SA-4 valence", "ANCLaF-SA-4 arousal", "ANCLaF-SA-4 attention"],
  ]);
  const [last] = overlapping.weights.slice(-1);
  const weights = rows.map((row) => row.at(-1));
  expect(weights.slice(0, 3)).toEqual([0, 1, 2].map((i) => last![i]! * 3));
  expect(weights.slice(3)).toEqual([last![1]! * 3, last![2]! * 3, null, null, null, null]);
});

test("tables of correlations and curves are rectangles, and CSV reads them back", () => {
  const experiment = randomExperiment({ lengths: [2, 4], frames: 8 });
  for (const table of [correlationTable(experiment), curveTable(experiment)]) {
    const rows = parse(toCsv(table)) as string[][];
    expect(rows).toHaveLength(table.rows.length + 1);
    expect(rows[0]).toEqual(table.columns);
  }
  const [first] = correlationTable(experiment).rows;
  // Windows of two have no step with two states.
  expect(first?.slice(0, 3)).toEqual(["ANCLaF-SA-2", "|dV/dt| of the labels", null]);
});
