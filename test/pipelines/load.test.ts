import { describe, expect, it } from "vitest";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { problemsError } from "../../src/pipelines/problems.ts";
import { file, stages } from "./fakes.ts";

/** All that is said of a text, as a user sees it. */
function told(text: string): string[] {
  const { problems } = parsePipelines(text, "/x/pipelines.yaml", stages);
  return problemsError("pipelines.yaml", problems).message.split("\n");
}

const steps = (...lines: string[]) =>
  ["a:", "  about: b", "  steps:", ...lines.map((line) => `    ${line}`)].join("\n");
const [first, middle, last] = ["- read-bytes: { input: [x] }", "- weigh:", "- keep-sum: { output: o }"] as const;

describe("pipelines file", () => {
  it("is read with its params, defaults and steps", () => {
    const { pipelines, problems } = parsePipelines(file, "/x/pipelines.yaml", stages);
    expect(problems).toEqual([]);
    const { params, steps, about, line } = pipelines["sum-bytes"]!;
    expect({ about, line }).toEqual({ about: "the sum of every file's bytes", line: 3 });
    expect(params.map(({ name, required }) => [name, required])).toEqual([
      ["input", false],
      ["output", true],
      ["scale", false],
      ["every", false],
    ]);
    expect(steps.map((step) => step.stage)).toEqual(["read-bytes", "weigh", "keep-sum"]);
    expect(steps[0]!.options).toEqual({ input: "$input", every: "$every" });
  });

  it("names an unknown stage, its place, the nearest name and all names", () => {
    expect(told(steps(first, "- weihg:", last))).toEqual([
      'pipelines.yaml:5:7 There is no stage "weihg".',
      "  → Did you mean weigh? Stages: keep-sum, read-bytes, weigh.",
    ]);
  });

  it("names an unknown option at its own place", () => {
    expect(told(steps(first, "- weigh: { scale: 2, scal: 3 }", last))).toEqual([
      'pipelines.yaml:5:26 weigh: options has no member "scal"',
      "  → Did you mean scale? pipe list weigh shows its options.",
    ]);
  });

  it("names a wrong type at the value's place", () => {
    expect(told(steps(first, "- weigh: { scale: much }", last))).toEqual([
      "pipelines.yaml:5:23 weigh: options.scale takes a number",
      "  → pipe list weigh shows its options.",
    ]);
    expect(told(steps("- read-bytes: { input: [x, 7] }", middle, last))[0]).toBe(
      "pipelines.yaml:4:32 read-bytes: options.input.1 takes text",
    );
  });

  it("wants a required option that nothing gives", () => {
    expect(told(steps(first, middle, "- keep-sum:"))[0]).toBe("pipelines.yaml:6:7 keep-sum: options.output is needed");
  });

  it("checks that neighbours fit, and that a source begins and a sink ends", () => {
    expect(told(steps(first, last))).toEqual([
      "pipelines.yaml:5:7 keep-sum takes latent, but read-bytes before it gives frame.",
    ]);
    expect(told(steps(middle, last))).toEqual([
      "pipelines.yaml:4:7 weigh takes frame, but nothing is before it: the first step must be a source.",
      "  → Sources: read-bytes.",
    ]);
    expect(told(steps(first, middle))).toEqual([
      "pipelines.yaml:5:7 weigh gives latent, but nothing is after it: the last step must be a sink.",
      "  → Sinks: keep-sum.",
    ]);
    expect(told(steps(first, first, middle, last))).toEqual([
      "pipelines.yaml:5:7 read-bytes is a source, but read-bytes stands before it.",
    ]);
  });

  it("refuses no steps, no stage in a step, two in one", () => {
    expect(told("a:\n  about: b\n  steps: []")[0]).toBe("pipelines.yaml:3:3 a has no steps.");
    expect(told(steps(first, "- {}", last))[0]).toBe(
      "pipelines.yaml:5:7 a: a step names one stage, this one names nothing.",
    );
    expect(told(steps(first, "- { weigh: {}, keep-sum: {} }"))[0]).toBe(
      "pipelines.yaml:5:7 a: a step names one stage, this one names 2 stages.",
    );
  });

  it("names unknown and unused params", () => {
    const text = file.replace("scale: $scale", "scale: $scael");
    expect(told(text)).toEqual([
      'pipelines.yaml:8:5 sum-bytes: no step uses the param "scale".',
      "  → Write $scale where an option should take it, or remove it.",
      'pipelines.yaml:12:23 There is no param "$scael".',
      "  → Did you mean $scale? Params: $every, $input, $output, $scale.",
    ]);
  });

  it("checks a param itself: its default, its name, its members", () => {
    const changed = (from: string, to: string) => told(file.replace(from, to))[0];
    expect(changed("default: 1,", "default: one,")).toBe(
      'pipelines.yaml:8:37 sum-bytes: param "scale" takes a number, got "one".',
    );
    expect(changed("default: 1,", "defualt: 1,")).toBe(
      'pipelines.yaml:8:28 sum-bytes: params.scale has no member "defualt"',
    );
    expect(changed("type: integer", "type: int")).toMatch(
      /^pipelines\.yaml:9:20 sum-bytes: params\.every\.type takes one of string, number/,
    );
    expect(
      told(file.replaceAll("every:", "jobs:").replaceAll("$every", "$jobs").replace("jobs: $jobs", "every: $jobs"))[0],
    ).toBe('pipelines.yaml:9:5 sum-bytes: param "jobs" has the name of an option of pipe run itself.');
  });

  it("says where a default that does not fit an option is used", () => {
    expect(told(file.replace("type: number, default: 1", "type: string, default: one"))[0]).toBe(
      "pipelines.yaml:12:23 weigh: options.scale takes a number (from $scale)",
    );
  });

  it("tells of a pipeline that is there twice, of what is no YAML, and of what is no map", () => {
    expect(told(`${steps(first, middle, last)}\n${steps(first, middle, last)}`)).toEqual([
      'pipelines.yaml:7:1 "a" is here a second time.',
    ]);
    expect(told("a: [1")[0]).toMatch(/^pipelines\.yaml:1:\d+ The file is not YAML: /);
    expect(told("- a")[0]).toBe("pipelines.yaml:1:1 The file is not a map of pipelines by name.");
    expect(told("")[0]).toBe("pipelines.yaml:1:1 The file is not a map of pipelines by name.");
  });

  it("tells all problems at once, in the file's order", () => {
    const spoilt = file.replace("weigh:", "wiegh:").replace("every: $every", "evry: $every");
    const text = `a: 7\n${spoilt.replace("help: factor", "hepl: factor")}`;
    expect(told(text).filter((line) => line.startsWith("pipelines"))).toEqual([
      "pipelines.yaml:1:4 a: takes a map of values by name",
      "pipelines.yaml:9:12 sum-bytes: params.scale.help is needed",
      'pipelines.yaml:9:40 sum-bytes: params.scale has no member "hepl"',
      'pipelines.yaml:12:36 read-bytes: options has no member "evry"',
      'pipelines.yaml:13:7 There is no stage "wiegh".',
    ]);
  });
});
