import { parse } from "csv-parse/sync";
import { describe, expect, test } from "vitest";
import { type ReportTable, toCsv, toMarkdown, toText } from "../../src/report/table.ts";

const table: ReportTable = {
  title: "Results",
  columns: ["Model", "RMSE", "COR", "Frames"],
  rows: [
    ["paper, table 1", 2.5134, null, null],
    ['ours | "best"', { value: 2.39857, sd: 0.1014 }, { value: 1 / 3, sd: null }, 1200],
    ["none", Number.POSITIVE_INFINITY, 0, 7],
  ],
  notes: ["Native units."],
};

describe("text", () => {
  test("columns line up, names left and figures right", () => {
    expect(toText(table)).toBe(
      [
        "Results",
        "",
        "Model                    RMSE    COR  Frames",
        "paper, table 1          2.513      –       –",
        'ours | "best"   2.399 ± 0.101  0.333    1200',
        "none                        ∞  0.000       7",
        "",
        "Native units.",
        "",
      ].join("\n"),
    );
  });

  test("of no rows is the heading", () => {
    expect(toText({ ...table, rows: [], notes: [] })).toBe("Results\n\nModel  RMSE  COR  Frames\n");
  });
});

test("Markdown: bars in names are escaped, notes are a list", () => {
  expect(toMarkdown(table)).toBe(
    [
      "**Results**",
      "",
      "| Model | RMSE | COR | Frames |",
      "| :-- | --: | --: | --: |",
      "| paper, table 1 | 2.513 | – | – |",
      '| ours \\| "best" | 2.399 ± 0.101 | 0.333 | 1200 |',
      "| none | ∞ | 0.000 | 7 |",
      "",
      "- Native units.",
      "",
    ].join("\n"),
  );
});

test("CSV: every digit, quoted as RFC 4180 says, deviations in columns of their own", () => {
  const [head, ...rows] = parse(toCsv(table)) as string[][];
  expect(head).toEqual(["Model", "RMSE", "RMSE sd", "COR", "COR sd", "Frames"]);
  expect(rows).toEqual([
    ["paper, table 1", "2.5134", "", "", "", ""],
    ['ours | "best"', "2.39857", "0.1014", `${1 / 3}`, "", "1200"],
    ["none", "Infinity", "", "0", "", "7"],
  ]);
});
