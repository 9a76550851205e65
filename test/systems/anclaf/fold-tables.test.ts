import { describe, expect, test } from "vitest";
import { foldTables, type TestedFold } from "../../../src/systems/anclaf/fold-tables.ts";
import { reconstructionTable } from "../../../src/systems/anclaf/reconstruction-table.ts";

const fold = (number: number, faces: number): TestedFold => ({
  fold: number,
  predictions: { valence: [1, 2, 4], arousal: [0, 1, 1] },
  labels: { valence: [1, 3, 4], arousal: [0, 2, 1] },
  trainMean: { valence: 2, arousal: 1 },
  reconstruction: [
    { kind: "none", faces, distorted: null, reconstructed: 20 + number },
    { kind: "blur", faces, distorted: 10, reconstructed: 14 - number },
  ],
});

describe("the tables of a training", () => {
  test("stand beside the paper's rows where the data is the paper's, and below them nothing but ours", () => {
    const [results, folds, reconstruction] = foldTables([fold(0, 3), fold(2, 5)], { dataset: "sewa", of: 2 });
    expect([results!.name, folds!.name, reconstruction!.name]).toEqual(["results", "folds", "reconstruction"]);
    expect(results!.table.title).toBe("ANCLaF on sewa");
    expect(results!.table.columns.slice(1, 4)).toEqual(["RMSE VAL", "RMSE ARO", "RMSE AVG"]);
    expect(results!.table.columns).not.toContain("ICC VAL");
    const names = results!.table.rows.map(([name]) => String(name));
    expect(names.filter((name) => name.startsWith("Paper: "))).toHaveLength(16);
    expect(names.slice(16)).toEqual([
      "ANCLaF (ours), mean of 2 folds",
      "ANCLaF (ours), pooled",
      "Training mean, mean of 2 folds",
      "Training mean, pooled",
    ]);
    expect(results!.table.notes).toHaveLength(1);
    expect(folds!.table.rows.map(([name]) => name)).toEqual(["ANCLaF (ours), fold 0", "ANCLaF (ours), fold 2"]);
  });

  test("elsewhere all metrics are shown, rows that are given follow, and missing folds are told", () => {
    const best = { name: "Best possible", figures: { valence: { ccc: 0.5 }, arousal: {}, average: {} } };
    const [results] = foldTables([fold(1, 3)], { dataset: "synth", of: 5, more: [best] });
    expect(results!.table.rows.map(([name]) => name)).toEqual([
      "ANCLaF (ours), 1 fold",
      "Training mean, 1 fold",
      "Best possible",
    ]);
    const column = results!.table.columns.indexOf("CCC VAL");
    expect(results!.table.rows.at(-1)![column]).toBe(0.5);
    expect(results!.table.notes[1]).toBe("4 of 5 folds are not finished.");
  });

  test("of reconstruction are means over folds, where the clean face has no distance", () => {
    const { rows, columns } = reconstructionTable([fold(0, 3), fold(2, 5)].map((each) => each.reconstruction));
    expect(columns).toEqual(["Distortion", "Distorted", "Reconstructed", "Faces"]);
    expect(rows).toEqual([
      ["none", null, 21, 8],
      ["blur", 10, 13, 8],
    ]);
  });
});
