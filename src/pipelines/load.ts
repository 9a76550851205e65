import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import type { Json } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import type { Stages } from "../stages/define.ts";
import { checkSteps } from "./check.ts";
import { type ParamSpec, paramSchema, wrongValue } from "./params.ts";
import { Positions } from "./positions.ts";
import { type Problem, Problems, problemsError } from "./problems.ts";
import { issuesOf, optionMessage } from "./zod-words.ts";

export interface Param extends ParamSpec {
  readonly name: string;
  /** Some step cannot do without it, and it has no default. */
  readonly required: boolean;
}

/** A pipeline as written: options still hold `$param` references. */
export interface Pipeline {
  readonly name: string;
  readonly about: string;
  /** Absolute path of the file it is written in, and its line. */
  readonly file: string;
  readonly line: number;
  readonly params: readonly Param[];
  readonly steps: readonly { readonly stage: string; readonly options: Json }[];
}

/** Options of `pipe run` itself: a param of the same name could not be given. */
export const RESERVED = ["jobs", "watch", "limit", "force", "progress", "set", "file", "json", "help", "version"];

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
export const pipelineSchema = z.strictObject({
  about: z.string().min(1).describe("one line for pipe list"),
  params: z.record(z.string(), paramSchema).default({}).describe("what pipe run NAME takes as options"),
  steps: z.array(z.record(z.string(), z.json().nullable())).describe("stage: options, from the source to the sink"),
});

/** The pipelines of a file, by name. Throws one PipeError that tells all that is wrong in it, with file:line:col. */
export function load(file: string, stages: Stages): Record<string, Pipeline> {
  const shown = path.relative(process.cwd(), file);
  const { pipelines, problems } = parsePipelines(read(file, shown), file, stages);
  if (problems.length > 0) throw problemsError(shown.startsWith("..") ? file : shown, problems);
  return pipelines;
}

/** Parses and checks a file's text. `pipelines` is complete only when there are no problems. */
export function parsePipelines(
  text: string,
  file: string,
  stages: Stages,
): { pipelines: Record<string, Pipeline>; problems: readonly Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = new Problems(lines);
  for (const error of document.errors)
    problems.add(error.pos[0], yamlMessage(error.code, error.message, text, error.pos));
  if (document.errors.some((error) => error.code !== "DUPLICATE_KEY"))
    return { pipelines: {}, problems: problems.list };

  const positions = new Positions(document);
  const root: unknown = document.toJS();
  const pipelines: Record<string, Pipeline> = {};
  if (root === null || typeof root !== "object" || Array.isArray(root)) {
    problems.add(
      positions.value([]),
      "The file is not a map of pipelines by name.",
      "Write `name:` and under it about, params and steps.",
    );
    return { pipelines, problems: problems.list };
  }
  for (const [name, raw] of Object.entries(root)) {
    const parsed = parsePipeline(name, raw, positions, problems, stages);
    const line = lines.linePos(positions.key([name])).line;
    pipelines[name] = { name, file, line, ...parsed };
  }
  return { pipelines, problems: problems.list };
}

function parsePipeline(name: string, raw: unknown, positions: Positions, problems: Problems, stages: Stages) {
  if (!NAME.test(name))
    problems.add(
      positions.key([name]),
      `"${name}" is not a pipeline's name.`,
      "Names are small letters, digits and single dashes.",
    );
  const parsed = pipelineSchema.safeParse(raw);
  for (const { issue, key } of parsed.success ? [] : issuesOf(parsed.error)) {
    const path = [name, ...issue.path];
    const at = key === undefined ? positions.value(path) : positions.key([...path, key]);
    problems.add(at, `${name}: ${optionMessage(issue, key, "")}`);
  }
  const { about, params, steps } = parsed.success ? parsed.data : salvage(raw);
  if (!parsed.success && steps.length === 0) return { about, params: [], steps: [] };
  for (const [param, spec] of Object.entries(params)) {
    const at = positions.key([name, "params", param]);
    if (!NAME.test(param))
      problems.add(
        at,
        `${name}: "${param}" is not a param's name.`,
        "Names are small letters, digits and single dashes.",
      );
    if (RESERVED.includes(param))
      problems.add(at, `${name}: param "${param}" has the name of an option of pipe run itself.`);
    if (spec.alias !== undefined && [...RESERVED, "h", "v"].includes(spec.alias))
      problems.add(at, `${name}: param "${param}" has an alias that is an option of pipe run itself: ${spec.alias}.`);
    const wrong = spec.default === undefined ? undefined : wrongValue(spec, spec.default);
    if (wrong) problems.add(positions.value([name, "params", param, "default"]), `${name}: param "${param}" ${wrong}.`);
  }
  const checked = checkSteps({ name, params, steps, stages, positions, problems });
  return {
    about,
    params: Object.entries(params).map(([param, spec]) => ({
      name: param,
      ...spec,
      required: checked.required.has(param),
    })),
    steps: checked.steps,
  };
}

/** What can be read of a pipeline that has something wrong, so that the rest of it is checked all the same. */
function salvage(raw: unknown): z.output<typeof pipelineSchema> {
  const members = (raw ?? {}) as Record<string, unknown>;
  const given = typeof members.params === "object" && members.params !== null ? Object.entries(members.params) : [];
  const params = given.map(([name, spec]) => {
    const parsed = paramSchema.safeParse(spec);
    return [name, parsed.success ? parsed.data : paramSchema.parse({ type: "string", help: name })] as const;
  });
  const steps = pipelineSchema.shape.steps.safeParse(members.steps);
  return { about: "", params: Object.fromEntries(params), steps: steps.success ? steps.data : [] };
}

function read(file: string, shown: string): string {
  try {
    // A pipe would keep its reader waiting for ever; a folder says so itself.
    if (statSync(file).isFIFO()) throw new PipeError(`The pipelines file ${shown} is not a regular file.`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof PipeError) throw cause;
    throw new PipeError(`Cannot read the pipelines file ${shown}: ${reasonOf(cause)}.`, {
      hint: "Name another with --file, or leave --file out to use the project's own.",
      cause,
    });
  }
}

function yamlMessage(code: string, message: string, text: string, [start]: [number, number]): string {
  if (code !== "DUPLICATE_KEY") return `The file is not YAML: ${message}`;
  const key = /^[^\s:]+/.exec(text.slice(start))?.[0] ?? "This name";
  return `"${key}" is here a second time.`;
}
