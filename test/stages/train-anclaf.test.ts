import { appendFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { synthFaces } from "../../src/datasets/synth/faces.ts";
import { type BoundPipeline, bind, load, run } from "../../src/pipelines/index.ts";
import { readPredictions, resultsIn } from "../../src/report/training-result.ts";
import { stages } from "../../src/stages/index.ts";
import { temporary } from "../pipelines/temporary.ts";

let place: string;

beforeAll(async () => {
  place = await temporary();
  await synthFaces({ clips: 3, frames: 2, actors: 3, seed: 5, output: path.join(place, "data") });
});

/** Three iterations on the faces of one person, into `output`. */
async function training(output: string, changed: Record<string, unknown> = {}): Promise<BoundPipeline> {
  const [data, store] = [path.join(place, "data"), path.join(place, "store")];
  const split = { dataset: "synth", data, store, folds: 3, fold: "1" };
  const train = { output, steps: 3, batchSize: 2, critics: 2, validateEvery: 2, threads: 1, ...changed };
  const file = path.join(await temporary(), "pipelines.yaml");
  await writeFile(
    file,
    JSON.stringify({ train: { about: "…", steps: [{ "split-faces": split }, { "train-anclaf": train }] } }),
  );
  return bind(load(file, stages).train!, stages, {}, []);
}

async function evaluation(input: string, output: string): Promise<BoundPipeline> {
  const file = path.join(await temporary(), "pipelines.yaml");
  await writeFile(file, JSON.stringify({ tables: { about: "…", steps: [{ "evaluate-anclaf": { input, output } }] } }));
  return bind(load(file, stages).tables!, stages, {}, []);
}

describe("train-anclaf", () => {
  it("trains and tests a fold, does not do it twice, is told in tables, and takes nothing that was changed for its own", {
    timeout: 300_000,
  }, async () => {
    const whole = path.join(await temporary(), "a");
    const first = await run(await training(whole), { stages });
    expect(first.report.items).toMatchObject([{ source: { name: "synth/fold-1" }, status: "done" }]);
    expect(Object.keys(first.outcomes[0]!.facts.metrics as object)).toEqual(
      ["rmse", "cor", "ccc", "icc"].flatMap((metric) => [`${metric} V`, `${metric} A`]),
    );
    const [{ result, folder }] = (await resultsIn(whole)) as [Awaited<ReturnType<typeof resultsIn>>[number]];
    expect(result).toMatchObject({ fold: 1, folds: 3, facts: { dataset: { name: "synth", faces: 6 } } });
    const faces = await readPredictions(folder);
    expect(faces).toHaveLength(2);
    expect(new Set(faces.map(({ clip }) => clip)).size).toBe(1);
    expect((await run(await training(whole), { stages })).report.items[0]!.status).toBe("cached");

    const tables = path.join(await temporary(), "tables");
    const evaluated = await run(await evaluation(whole, tables), { stages });
    const text = String(evaluated.outcomes[0]!.facts.text);
    for (const row of [
      "ANCLaF (ours), 1 fold",
      "Training mean, 1 fold",
      "Best possible from one frame",
      "2 of 3 folds",
    ])
      expect(text).toContain(row);
    expect((await readdir(tables)).sort()).toEqual([
      ...["folds.csv", "reconstruction.csv", "report.json", "results.csv", "tables.md"],
    ]);

    // What was changed after it was written is no result.
    await appendFile(path.join(folder, "predictions.csv"), "x\n");
    expect(await resultsIn(whole)).toEqual([]);
    const other = await run(await training(whole, { seed: 2 }), { stages });
    expect(other.report.items[0]).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("seed was 1, now it is 2"),
    });
  });
});
