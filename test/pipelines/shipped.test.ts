import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import type { Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { load } from "../../src/pipelines/load.ts";
import { packageRoot } from "../../src/pipelines/package.ts";
import { plan } from "../../src/pipelines/plan.ts";
import { run } from "../../src/pipelines/run.ts";
import { pipelinesJsonSchema } from "../../src/pipelines/schema.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "./temporary.ts";

const file = path.join(packageRoot, "pipelines.yaml");
const pipelines = load(file, stages);

/** What makes each pipeline short. */
const SHORT: Record<string, Record<string, Json>> = {
  "extract-latents": { fps: 2, preset: "small" },
  "find-faces": { fps: 2 },
  "find-bodies": { fps: 1 },
};

async function go(name: string, given: Record<string, Json>) {
  const bound = bind(pipelines[name]!, stages, { ...SHORT[name], ...given });
  const planned = [];
  for await (const { item } of plan(bound, { stages, limit: 2 })) planned.push(item.action);
  const result = await run(bound, { stages, limit: 2 });
  return { planned, ...result };
}

describe("pipelines.yaml", () => {
  it("fits the schema that editors use", () => {
    const schema = z.fromJSONSchema(pipelinesJsonSchema(stages) as never);
    expect(schema.safeParse(parse(readFileSync(file, "utf8"))).error).toBeUndefined();
  });

  it.each(Object.keys(SHORT))("%s runs on two samples", async (name) => {
    const output = await temporary();
    const { planned, report, exitCode } = await go(name, { output });
    expect(planned).toEqual(["run", "run"]);
    expect(report.items.map(({ status, verdict }) => [status, verdict])).toEqual([
      ["done", "complete"],
      ["done", "complete"],
    ]);
    expect(exitCode).toBe(0);
    expect(report.totals.counts.sampled).toBeGreaterThan(0);
  });

  it("inspect-latents reads what extract-latents cached, and a second extraction computes nothing", async () => {
    const [input, output] = [await temporary(), await temporary()];
    const first = await go("extract-latents", { output: input });
    const second = await go("extract-latents", { output: input });
    expect(second.planned).toEqual(["cached", "cached"]);
    expect(second.report.items.map((item) => item.status)).toEqual(["cached", "cached"]);
    const rows = await go("inspect-latents", { input, output });
    expect(rows.report.totals.counts.rows).toEqual(first.report.totals.counts.rows);
    expect(Object.keys(pipelines).sort()).toEqual([...Object.keys(SHORT), "inspect-latents"].sort());
  });
});
