import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
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
  score: { fps: 2, format: "both" },
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
  });

  it("train-anclaf, evaluate and extract-faces run on one fold of a few drawn faces", {
    timeout: 300_000,
  }, async () => {
    const [data, trained, output] = [path.join(await temporary(), "data"), await temporary(), await temporary()];
    await synthFaces({ clips: 5, frames: 3, actors: 5, output: data });
    const set = [`split-faces.store=${path.join(data, "../store")}`, "train-anclaf.batchSize=2"];
    const values = { data, output: trained, fold: "0", steps: 1 };
    const bound = bind(pipelines["train-anclaf"]!, stages, values, set);
    const { report } = await run(bound, { stages });
    expect(report.items).toMatchObject([{ status: "done", source: { name: "synth/fold-0" } }]);
    const evaluated = await run(bind(pipelines.evaluate!, stages, { input: trained, output }), { stages });
    expect(evaluated.outcomes[0]!.facts.text).toMatch(
      /ANCLaF \(ours\), 1 fold .*\nTraining mean, 1 fold .*\nBest possible from one frame/,
    );
    expect(readFileSync(path.join(output, "tables.md"), "utf8")).toContain("4 of 5 folds are not finished");
    expect(readFileSync(path.join(output, "reconstruction.csv"), "utf8")).toMatch(/\r\nocclusion,\d/);

    // What was trained encodes its own fold's clips, and no other's.
    const faces = [`read-faces.store=${path.join(data, "../store")}`];
    const extracted = { data, models: trained, output: await temporary() };
    const zero = await run(bind(pipelines["extract-faces"]!, stages, { ...extracted, fold: "0" }, faces), { stages });
    expect(zero.report.items.map(({ status }) => status)).toEqual(Array(5).fill("done"));
    expect(zero.report.totals.counts.rows.ok).toBe(15);
    const one = run(bind(pipelines["extract-faces"]!, stages, { ...extracted, fold: "1" }, faces), { stages });
    await expect(one).rejects.toThrow(/no finished training of fold 1/);
  });

  it("has no pipeline that is not run above", () => {
    const others = ["evaluate", "extract-faces", "inspect-latents", "train-anclaf"];
    expect(Object.keys(pipelines).sort()).toEqual([...Object.keys(SHORT), ...others].sort());
  });
});
