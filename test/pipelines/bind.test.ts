import { mkdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/digest.ts";
import { PipeError } from "../../src/errors.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { file, stages } from "./fakes.ts";
import { temporary } from "./temporary.ts";

const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;

function told(given: Record<string, Json>, sets: string[] = []): string[] {
  try {
    bind(pipeline, stages, given, sets);
  } catch (error) {
    if (error instanceof PipeError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("bind", () => {
  it("fills in params, defaults and single options", () => {
    const bound = bind(pipeline, stages, { output: "o", scale: 3 }, ["weigh.model=b", "read-bytes.input=[p, q]"]);
    expect(bound).toEqual({
      name: "sum-bytes",
      params: { input: ["/x/clips"], output: "o", scale: 3 },
      steps: [
        { stage: "read-bytes", options: { input: ["p", "q"] } },
        { stage: "weigh", options: { scale: 3, model: "b", threads: 1 } },
        { stage: "keep-sum", options: { output: "o", unit: "g" } },
      ],
    });
  });

  it("takes a bundled default from the working folder when it is there", async () => {
    const folder = await temporary();
    await mkdir(path.join(folder, "clips"));
    const before = process.cwd();
    // Worker threads share their parent's folder, but tests run in processes of their own.
    process.chdir(folder);
    try {
      expect(bind(pipeline, stages, { output: "o" }).params.input).toEqual(["clips"]);
    } finally {
      process.chdir(before);
    }
  });

  it("keeps a text that begins with a dollar sign when it is written with two", () => {
    const changed = {
      ...pipeline,
      steps: pipeline.steps.map((step) => ({ ...step, options: { ...(step.options as object) } })),
    };
    (changed.steps[2]!.options as Record<string, Json>).unit = "$$";
    expect(bind(changed, stages, { output: "o" }).steps[2]!.options).toEqual({ output: "o", unit: "$" });
  });

  it("wants what has no default", () => {
    expect(told({})).toEqual(["--output is needed."]);
  });

  it("tells all that does not fit, in the words in which it was given", () => {
    expect(told({ output: "o", scale: "x", every: 0, fsp: 1 })).toEqual([
      'sum-bytes has no param "fsp".',
      "  → Params: every, input, output, scale.",
      '--scale takes a number, got "x".',
      "--every is to be more than 0 (read-bytes.every).",
    ]);
    expect(
      told({ output: "o" }, ["weigh.scal=1", "weigh.scale=x", "wiegh.scale=1", "nonsense", "weigh.model=[1"]),
    ).toEqual([
      '--set wiegh.scale=1: sum-bytes has no step "wiegh".',
      "  → Did you mean weigh? Steps: keep-sum, read-bytes, weigh.",
      "--set nonsense is not of the form stage.option=value.",
      expect.stringMatching(/^--set weigh\.model=\[1: the value is not YAML: /),
      "--set weigh.scale=x: weigh: options.scale takes a number",
      "  → pipe list weigh shows its options.",
      '--set weigh.scal=1: weigh: options has no member "scal"',
      "  → Did you mean scale? pipe list weigh shows its options.",
    ]);
  });
});
