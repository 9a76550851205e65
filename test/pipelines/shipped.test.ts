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

  it("train-anclaf, extract-faces, train-seq and what reads them run on one fold of a few drawn faces", {
    timeout: 900_000,
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

    // Features, sequence models on them, their tables, and the page with everything.
    const [features, seq] = [await temporary(), await temporary()];
    const onward = async (name: string, given: Record<string, Json>) =>
      expect((await run(bind(pipelines[name]!, stages, given), { stages })).exitCode).toBe(0);
    await onward("extract-features", { input: extracted.output, models: trained, output: features, fold: "0" });
    await onward("train-seq", { input: features, output: seq, fold: "0", n: 2, curriculum: [2], steps: 2 });
    const [tables, page] = [await temporary(), await temporary()];
    await onward("evaluate-seq", { input: [seq], frames: trained, output: tables });
    expect(readFileSync(path.join(tables, "tables.md"), "utf8")).toContain("| ANCLaF-SA-2 |");
    await onward("report-seq", { input: [seq], frames: trained, output: page });
    const html = readFileSync(path.join(page, "index.html"), "utf8");
    for (const text of [
      "Not real data.",
      "ANCLaF-SA-2",
      "Best possible-2",
      "data:image/png;base64,",
      "motion of the landmarks",
    ])
      expect(html).toContain(text);
  });

  it("has no pipeline that is not run above", () => {
    const sequences = ["evaluate-seq", "extract-features", "report-seq", "train-seq"];
    const others = ["evaluate", "extract-faces", "inspect-latents", "train-anclaf", ...sequences];
    expect(Object.keys(pipelines).sort()).toEqual([...Object.keys(SHORT), ...others].sort());
  });
});
