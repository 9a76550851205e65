import { expect, it } from "vitest";
import { afterwards } from "../../src/cli/afterwards.ts";
import type { Json } from "../../src/digest.ts";
import { Ledger } from "../../src/ledger.ts";
import type { RunResult } from "../../src/pipelines/run.ts";
import type { Stages } from "../../src/stages/define.ts";
import { stages } from "../pipelines/fakes.ts";

const pipeline = { name: "p", params: {}, steps: [{ stage: "keep-sum", options: { output: "o" } }] };
const withNext = {
  "keep-sum": { ...stages["keep-sum"], next: ({ output }: { output: string }) => [`Open ${output}`] },
};

function after(facts: readonly (Record<string, Json> | null)[], exitCode: RunResult["exitCode"] = 0, known?: Stages) {
  const outcomes = facts.map((own) => ({
    ...{ status: "done" as const, verdict: null, counts: new Ledger().counts, seconds: 1, stages: {} },
    ...(own === null ? { facts: {}, artifacts: [] } : { facts: own, artifacts: ["/made"] }),
  }));
  return afterwards({ outcomes, exitCode }, pipeline, known ?? (withNext as unknown as Stages));
}

it("a run ends with what to do next, and last of all, once, why nobody should rely on what was made", async () => {
  expect(await after([{}, {}])).toEqual(["Open o"]);
  const caution = "Drawn\nfaces alone.";
  expect(await after([{ caution }, {}, { caution }])).toEqual(["Open o", "Drawn\\nfaces alone."]);
  // What was cut short is to be gone on with, and a sink may have nothing to offer.
  expect(await after([{ caution }], 130)).toEqual(["Drawn\\nfaces alone."]);
  expect(await after([{}], 0, stages)).toEqual([]);
  expect(await after([null], 2)).toEqual([]);
  expect(await after([])).toEqual([]);
});
