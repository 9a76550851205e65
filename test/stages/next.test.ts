import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/checkpoint.ts";
import cacheLatents from "../../src/stages/cache-latents.ts";
import { nextCommand } from "../../src/stages/next.ts";
import reportSeq from "../../src/stages/report-seq.ts";
import trainSeq from "../../src/stages/train-seq.ts";
import writeScores from "../../src/stages/write-scores.ts";
import { checkpointFor } from "../../src/systems/anclaf/load.ts";
import { folder } from "../cache/helpers.ts";

describe("what a run ends with", () => {
  it("is a command that a shell reads as it is meant", () => {
    expect(nextCommand("score", "--input", "a b", "it's")).toBe("Next: npx pipe run score --input 'a b' 'it'\\''s'");
  });

  it("is the page of the scores, and of a report", async () => {
    for (const stage of [writeScores, reportSeq])
      expect(await stage.next!(stage.options.parse({ output: "data/x" }) as never, [])).toEqual([
        "Open data/x/index.html",
      ]);
    expect(await writeScores.next!(writeScores.options.parse({ output: "/out" }), [])).toEqual([
      "Open /out/index.html",
    ]);
  });

  it("of latents is a training where any are labelled, else a look at their rows", async () => {
    const next = (facts: Record<string, number>) =>
      cacheLatents.next!(cacheLatents.options.parse({ output: "latents" }), [{ artifacts: [], facts }]);
    expect(await next({ labelled: 3 })).toEqual(["Next: npx pipe run train-seq --input latents"]);
    expect(await next({ labelled: 0 })).toEqual(["Next: npx pipe run inspect-latents --input latents"]);
    expect(await next({})).toEqual(["Next: npx pipe run inspect-latents --input latents"]);
  });

  it("of a training scores with its model, and names the frame model unless it is the package's", async () => {
    await using place = await folder();
    const weights = new Map([["a", { shape: [1], data: new Float32Array(1) }]]);
    const write = async (path: string, metadata: Record<string, string>) => {
      await mkdir(join(path, ".."), { recursive: true });
      await writeCheckpoint(path, weights, { metadata });
      return (await readCheckpoint(path)).digest;
    };
    const { digest: own } = await readCheckpoint(checkpointFor({ preset: "small" })!);
    const models = join(place.path, "frames");
    const other = await write(join(models, "fold-2/model.safetensors"), { preset: "small" });
    const fold = join(place.path, "seq/fold-2");
    const first = async (encoder: string, from: string) => {
      const model = join(fold, "anclaf-sa-8/model.safetensors");
      await write(model, { preset: "small", fold: "2 of 5", encoder });
      const options = trainSeq.options.parse({ models: from, output: join(place.path, "seq") });
      const lines = await trainSeq.next!(options, [{ artifacts: [fold], facts: { model: "anclaf-sa-8" } }]);
      expect(lines.slice(1)).toEqual([
        `Next: npx pipe run evaluate-seq --input ${place.path}/seq`,
        `Next: npx pipe run report-seq --input ${place.path}/seq`,
      ]);
      return lines[0];
    };
    const command = `Next: npx pipe run score --model anclaf-sa --checkpoint ${fold}/anclaf-sa-8/model.safetensors`;
    expect(await first(own, models)).toBe(`${command} --input VIDEOS`);
    expect(await first(other, models)).toBe(`${command} --encoder ${models}/fold-2/model.safetensors --input VIDEOS`);
    expect(await first(other, place.path)).toBe(`${command} --encoder FRAME-MODEL.safetensors --input VIDEOS`);
  });
});
