import { existsSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import type { Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { Stages } from "../stages/define.ts";
import { optionNames } from "./check.ts";
import type { Param, Pipeline } from "./load.ts";
import { fill, giverOf, wrongValue } from "./params.ts";
import { nearest, suggest } from "./suggest.ts";
import { issueInWords, issuesOf, optionMessage } from "./zod-words.ts";

/** A pipeline with every option known and checked: plain data, ready to plan and run. */
export interface BoundPipeline {
  readonly name: string;
  /** The params' values; those without one are absent. */
  readonly params: Readonly<Record<string, Json>>;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly stage: string;
  /** All options, defaults filled in. */
  readonly options: Json;
}

/**
 * Gives a pipeline its params, by name, and single options (`--set`: "stage.option=value", the value read as YAML).
 * Throws one PipeError that tells all that does not fit.
 */
export function bind(
  pipeline: Pipeline,
  stages: Stages,
  given: Readonly<Record<string, Json | undefined>> = {},
  sets: readonly string[] = [],
): BoundPipeline {
  const problems: string[] = [];
  const params = valuesOf(pipeline, given, problems);
  const overrides = sets.flatMap((set) => parseSet(set, pipeline, problems));
  const steps = pipeline.steps.map(({ stage, options: written }) => {
    const filled = fill(written, params);
    const mine = overrides.filter((each) => each.stage === stage);
    const options = mine.reduce((all, each) => withMember(all, each.path, each.value), filled.options);
    const schema = stages[stage]!.options;
    const parsed = schema.safeParse(options);
    if (parsed.success) return { stage, options: parsed.data as Json };
    for (const { issue, key } of issuesOf(parsed.error)) {
      const path = key === undefined ? issue.path : [...issue.path, key];
      const set = mine.find((each) => each.path.every((name, i) => String(path[i]) === name));
      const param = giverOf(filled.references, issue.path);
      const near = key === undefined ? undefined : nearest(key, optionNames(stages[stage]!));
      const hint = `\n  → ${near ? `Did you mean ${near}? ` : ""}pipe list ${stage} shows its options.`;
      if (set) problems.push(`--set ${set.text}: ${stage}: ${optionMessage(issue, key)}${hint}`);
      else if (param !== undefined && params[param] === undefined) problems.push(`--${param} is needed.`);
      else if (param !== undefined) problems.push(`--${param} ${issueInWords(issue)} (${stage}.${path.join(".")}).`);
      else problems.push(`${stage}: ${optionMessage(issue, key)}${hint}`);
    }
    return { stage, options };
  });
  if (problems.length > 0)
    throw new PipeError([...new Set(problems)].join("\n"), {
      hint: `pipe run ${pipeline.name} --help shows its options.`,
    });
  return { name: pipeline.name, params, steps };
}

function valuesOf(
  pipeline: Pipeline,
  given: Readonly<Record<string, Json | undefined>>,
  problems: string[],
): Record<string, Json> {
  const names = pipeline.params.map((param) => param.name);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      problems.push(`${pipeline.name} has no param "${name}".\n  → ${suggest(name, names, "Params")}`);
  const values: Record<string, Json> = {};
  for (const param of pipeline.params) {
    const value = given[param.name] ?? defaultOf(param, pipeline.file);
    if (value === undefined) continue;
    const wrong = wrongValue(param, value);
    if (wrong) problems.push(`--${param.name} ${wrong}.`);
    else values[param.name] = value;
  }
  return values;
}

/** A default path that comes with the project is taken from the working folder if it is there, else from beside the pipelines file. */
function defaultOf(param: Param, file: string): Json | undefined {
  const value = param.default;
  if (!param.bundled || value === undefined) return value;
  const place = (each: Json) =>
    typeof each === "string" && !existsSync(each) ? path.resolve(path.dirname(file), each) : each;
  return Array.isArray(value) ? (value as readonly Json[]).map(place) : place(value);
}

interface Override {
  readonly text: string;
  readonly stage: string;
  readonly path: readonly string[];
  readonly value: Json;
}

function parseSet(text: string, pipeline: Pipeline, problems: string[]): Override[] {
  const [, stage, option, written] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(text) ?? [];
  if (stage === undefined || option === undefined || written === undefined) {
    problems.push(`--set ${text} is not of the form stage.option=value.`);
    return [];
  }
  const names = [...new Set(pipeline.steps.map((step) => step.stage))];
  if (!names.includes(stage)) {
    problems.push(`--set ${text}: ${pipeline.name} has no step "${stage}".\n  → ${suggest(stage, names, "Steps")}`);
    return [];
  }
  try {
    return [{ text, stage, path: option.split("."), value: parse(written) as Json }];
  } catch (error) {
    problems.push(`--set ${text}: the value is not YAML: ${(error as Error).message.split("\n")[0]}`);
    return [];
  }
}

function withMember(options: Json, [name, ...rest]: readonly string[], value: Json): Json {
  if (name === undefined) return value;
  const members = options !== null && typeof options === "object" && !Array.isArray(options) ? options : {};
  const inner = (members as Record<string, Json | undefined>)[name] ?? {};
  return { ...(members as Record<string, Json | undefined>), [name]: withMember(inner, rest, value) };
}
