import { describe, expect, test } from "vitest";
import { affectMetrics, METRICS, metricsOf } from "../../../src/nn/metrics.ts";
import { seeded } from "../../../src/random.ts";
import { toMarkdown, toText } from "../../../src/report/table.ts";
import {
  baselineRows,
  evaluate,
  type FoldPredictions,
  foldRows,
  resultTable,
  rowsOf,
} from "../../../src/systems/anclaf/evaluation.ts";
import { PAPER_DATASETS, PAPER_METRICS, paperRows } from "../../../src/systems/anclaf/paper-results.ts";

const random = seeded(2);
const drawFold = (fold: number, frames: number): FoldPredictions => {
  const series = () => Array.from({ length: frames }, () => random.uniform(-10, 10));
  const labels = { valence: series(), arousal: series() };
  const near = (values: number[]) => values.map((value) => 0.5 * value + random.normal());
  return {
    fold,
    labels,
    predictions: { valence: near(labels.valence), arousal: near(labels.arousal) },
    trainMean: { valence: 0.5 * fold, arousal: -1 },
  };
};
const folds = [drawFold(0, 31), drawFold(1, 17), drawFold(2, 44)];

describe("an evaluation", () => {
  const found = evaluate(folds);

  test("scores each fold over all its frames", () => {
    expect(found.frames).toBe(31 + 17 + 44);
    found.folds.forEach(({ fold, frames, scores }, i) => {
      expect([fold, frames]).toEqual([i, folds[i]!.labels.valence.length]);
      expect(scores).toEqual(affectMetrics(folds[i]!.predictions, folds[i]!.labels));
    });
  });

  test("means are those of the folds' scores, with the deviation between them", () => {
    const cccs = folds.map(({ predictions, labels }) => metricsOf(predictions.arousal, labels.arousal).ccc);
    const mean = (cccs[0]! + cccs[1]! + cccs[2]!) / 3;
    const { ccc } = found.model.spread.arousal;
    expect(ccc.mean).toBeCloseTo(mean, 12);
    expect(ccc.sd).toBeCloseTo(Math.sqrt(cccs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2), 12);
    for (const metric of METRICS) {
      const { valence, arousal, average } = found.model.spread;
      expect(average[metric].mean).toBeCloseTo((valence[metric].mean + arousal[metric].mean) / 2, 12);
    }
  });

  test("pooled, all frames are one set", () => {
    const all = (of: (fold: FoldPredictions) => ArrayLike<number>) => folds.flatMap((fold) => Array.from(of(fold)));
    expect(found.model.pooled.valence).toEqual(
      metricsOf(
        all(({ predictions }) => predictions.valence),
        all(({ labels }) => labels.valence),
      ),
    );
  });

  test("the training mean's RMSE is known, and it correlates with nothing", () => {
    const { valence } = found.folds[1]!.trainMean;
    const squares = Array.from(folds[1]!.labels.valence, (label) => (label - 0.5) ** 2);
    expect(valence.rmse).toBeCloseTo(Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / squares.length), 12);
    expect(valence).toMatchObject({ cor: 0, ccc: 0, icc: 0, constant: "predictions" });
  });

  test("errors name the fold", () => {
    expect(() => evaluate([])).toThrow(/no folds/);
    expect(() => evaluate([folds[0]!, folds[1]!, folds[0]!])).toThrow(/Fold 0 is given twice/);
    expect(() => evaluate([folds[1]!, drawFold(4, 0)])).toThrow(/Fold 4: .*no frames/);
    const broken = { ...folds[2]!, predictions: { ...folds[2]!.predictions, arousal: [Number.NaN] } };
    expect(() => evaluate([broken])).toThrow(/Fold 2: /);
  });
});

describe("tables", () => {
  test("rows of model and baseline in the paper's columns", () => {
    const evaluation = evaluate(folds);
    const rows = [...paperRows("afew-va"), ...baselineRows(evaluation), ...rowsOf("ANCLaF", evaluation)];
    const table = resultTable("AFEW-VA", rows, { metrics: PAPER_METRICS["afew-va"], notes: ["Native units."] });
    expect(table.columns).toEqual([
      "Model",
      ...["RMSE", "COR", "ICC"].flatMap((m) => ["VAL", "ARO", "AVG"].map((d) => `${m} ${d}`)),
      "Frames",
    ]);
    expect(table.rows).toHaveLength(16 + 2 + 2);
    for (const row of table.rows) expect(row).toHaveLength(11);
    const { mean, sd } = evaluation.model.spread.average.icc;
    expect(table.rows[18]![0]).toBe("ANCLaF, mean of 3 folds");
    expect(table.rows[18]![9]).toEqual({ value: mean, sd });
    expect(table.rows[19]!.slice(8, 11)).toEqual([
      evaluation.model.pooled.arousal.icc,
      evaluation.model.pooled.average.icc,
      92,
    ]);
    expect(toText(table)).toContain(`${mean.toFixed(3)} ± ${sd!.toFixed(3)}`);
    expect(toMarkdown(table)).toContain("| Paper: ANCLaF-SA-8 | 2.481 | 2.239 | 2.360 |");
  });

  test("a single fold has one row, without deviation; folds may have rows of their own", () => {
    const evaluation = evaluate([folds[1]!]);
    expect(rowsOf("C", evaluation).map(({ name }) => name)).toEqual(["C, 1 fold"]);
    expect(evaluation.model.spread.valence.ccc.sd).toBeNull();
    const rows = foldRows("C", evaluate(folds));
    expect(rows.map(({ name, frames }) => [name, frames])).toEqual([
      ["C, fold 0", 31],
      ["C, fold 1", 17],
      ["C, fold 2", 44],
    ]);
    expect(resultTable("T", rows).columns).toHaveLength(1 + 4 * 3 + 1);
  });

  test.each(PAPER_DATASETS)("the paper's numbers of %s: AVG is the mean of VAL and ARO", (dataset) => {
    const rows = paperRows(dataset);
    expect(rows).toHaveLength(16);
    for (const { name, figures } of rows)
      for (const metric of PAPER_METRICS[dataset]) {
        const { valence, arousal, average } = figures;
        if (valence[metric] === undefined) continue;
        const mean = ((valence[metric] as number) + (arousal[metric] as number)) / 2;
        expect(Math.abs(mean - (average[metric] as number)), `${name} ${metric}`).toBeLessThan(0.00151);
      }
  });

  test("the paper's averages over window lengths are those of its rows", () => {
    for (const dataset of PAPER_DATASETS)
      for (const kind of ["S", "SA"]) {
        const numbered = paperRows(dataset).filter(({ name }) => new RegExp(`ANCLaF-${kind}-\\d+$`).test(name));
        const average = paperRows(dataset).find(({ name }) => name === `Paper: ANCLaF-${kind}-AVG`)!;
        expect(numbered).toHaveLength(5);
        for (const metric of PAPER_METRICS[dataset]) {
          const mean = numbered.reduce((sum, { figures }) => sum + (figures.valence[metric] as number), 0) / 5;
          expect(
            Math.abs(mean - (average.figures.valence[metric] as number)),
            `${dataset} ${kind} ${metric}`,
          ).toBeLessThan(0.0015);
        }
      }
  });
});
