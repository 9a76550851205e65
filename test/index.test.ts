import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as door from "../src/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("the public door", () => {
  test.each([
    ["training", ["fit", "exportWeights", "weightsOf", "readCheckpoint", "initialise", "adam", "adamW", "rmsprop"]],
    ["rates", ["constant", "cosine", "exponential", "stepped"]],
    ["measures", ["affectMetrics", "metricsOf", "affectLosses", "METRICS"]],
    ["layers", ["lstm", "attentiveLstm", "luongLstm", "multiHeadAttention", "batchNorm", "groupNorm", "layerNorm"]],
    ["data", ["readDataset", "readAfewVa", "readSewa", "makeFolds", "splitOf", "packFaces", "synthFaces"]],
    ["running", ["load", "bind", "run", "stages", "toStream", "defineStage", "compile", "compileSteps"]],
  ])("has what %s needs", (_, names) => {
    for (const name of names) expect(door, name).toHaveProperty(name);
  });

  test("has ANCLaF's networks, presets and trainings under its name", () => {
    expect(Object.keys(door.anclaf)).toEqual(
      expect.arrayContaining(["generator", "discriminator", "combiner", "sequenceCombiner", "presets", "trainStage1"]),
    );
    expect(door.count(door.anclaf.generatorParameters(door.anclaf.presets.paper))).toBe(456_864);
  });

  // It opens TensorFlow.js, and `pipe --help` must not.
  test("is not what the command line comes in by", () => {
    const files = readdirSync(join(root, "src/cli"));
    expect(files.length).toBeGreaterThan(5);
    for (const file of files)
      expect(readFileSync(join(root, "src/cli", file), "utf8"), file).not.toMatch(/"\.\.\/index\.ts"/);
  });
});
