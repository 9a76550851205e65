import { describe, expect, test } from "vitest";
import { summary } from "../../src/cli/summary.ts";
import { Ledger } from "../../src/ledger.ts";
import { makeReport, type ReportItem } from "../../src/pipelines/report.ts";
import type { Outcome } from "../../src/pipelines/task.ts";

/** What a run prints at its end that had items of these statuses. */
function printed(statuses: readonly ReportItem["status"][], facts: ReportItem["facts"] = {}): string[] {
  const outcomes = statuses.map((status): Outcome => {
    const { counts } = new Ledger();
    const reason = status === "done" || status === "cached" ? {} : { reason: `why ${status}` };
    return { status, ...reason, verdict: null, counts, seconds: 1, stages: {}, facts, artifacts: [] };
  });
  const items = outcomes.map(({ status, reason, counts }, i): ReportItem => {
    const source = { name: `clip-${i}`, path: `/clip-${i}` };
    return { source, key: null, status, ...(reason && { reason }), verdict: null, counts, stages: {}, facts };
  });
  const run = { pipeline: "p", params: {}, startedAt: "", seconds: 2, versions: {} };
  const report = makeReport(run, items, { notStarted: 0, interrupted: false });
  return summary({ report, outcomes, output: "/out" }).trimEnd().split("\n");
}

const times = (n: number, status: ReportItem["status"]) => Array.from({ length: n }, () => status);
const names = (lines: readonly string[]) => lines.flatMap((line) => /^clip-(\d+) /.exec(line)?.[1] ?? []).map(Number);

describe("the table at the end of a run", () => {
  test("of few sources has each, in the order in which they were found", () => {
    const lines = printed([...times(10, "done"), "failed", ...times(9, "cached")]);
    expect(names(lines)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(lines.slice(-2)).toEqual(["10 done, 9 cached, 1 failed in 2.0 s", "/out"]);
    expect(lines.join()).not.toContain("more");
  });

  test("of many has twenty, those first that somebody must look at, and says what the others are", () => {
    const statuses = times(600, "done");
    statuses[7] = "failed";
    statuses[599] = "partial";
    statuses[300] = "stopped";
    const lines = printed(statuses);
    expect(names(lines)).toEqual([7, 300, 599, ...[0, 1, 2, 3, 4, 5, 6], ...[8, 9, 10, 11, 12, 13, 14, 15, 16, 17]]);
    expect(lines).toHaveLength(1 + 20 + 1 + 2);
    expect(lines[21]).toBe("… and 580 more, all done; report.json has them");
    expect(lines[22]).toBe("597 done, 1 partial, 1 failed, 1 stopped in 2.0 s");
  });

  test("says how many of each kind are left out, failures among them", () => {
    const lines = printed([...times(5, "cached"), ...times(30, "failed"), ...times(4, "done")]);
    expect(names(lines)).toEqual(Array.from({ length: 20 }, (_, i) => i + 5));
    expect(lines[21]).toBe("… and 19 more, 10 failed, 5 cached, 4 done; report.json has them");
  });

  test("has what all items share below it, legibly", () => {
    const range = { valence: [-1, 1], arousal: [-1, 1] };
    expect(printed(times(2, "done"), { range, text: "shown\n", metrics: { ccc: 0.5 } })).toEqual([
      ...["shown", "", "shown", ""],
      expect.stringMatching(/^source +status +ccc +seconds$/),
      expect.stringMatching(/^clip-0 +done +0.500 +1.00$/),
      expect.stringMatching(/^clip-1 +done +0.500 +1.00$/),
      "range: valence -1 to 1, arousal -1 to 1",
      "2 done in 2.0 s",
      "/out",
    ]);
  });

  test("of nothing is none", () => {
    expect(printed([])).toEqual(["nothing done in 2.0 s", "/out"]);
  });
});
