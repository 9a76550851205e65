import type { Json } from "../digest.ts";
import type { AnyStage, Stages } from "../stages/define.ts";
import { fill, giverOf, type ParamSpec } from "./params.ts";
import type { Positions } from "./positions.ts";
import type { Problems } from "./problems.ts";
import { nearest, suggest } from "./suggest.ts";
import { issuesOf, optionMessage } from "./zod-words.ts";

interface Written {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamSpec>>;
  readonly steps: readonly Readonly<Record<string, Json>>[];
  readonly stages: Stages;
  readonly positions: Positions;
  readonly problems: Problems;
}

/** Checks the steps of one pipeline: stages, options, params, and that each step takes what the one before it gives. */
export function checkSteps(written: Written): {
  steps: { stage: string; options: Json }[];
  /** Params without which some step's options are not complete. */
  required: Set<string>;
} {
  const { name, params, positions, problems, stages } = written;
  const used = new Set<string>();
  const required = new Set<string>();
  const steps: { stage: string; options: Json; at: number; known: AnyStage | undefined }[] = [];
  for (const [i, step] of written.steps.entries()) {
    const [stage, ...more] = Object.keys(step);
    if (stage === undefined || more.length > 0) {
      const what = stage === undefined ? "nothing" : `${more.length + 1} stages`;
      problems.add(positions.value([name, "steps", i]), `${name}: a step names one stage, this one names ${what}.`);
      continue;
    }
    const at = positions.key([name, "steps", i, stage]);
    const known = Object.hasOwn(stages, stage) ? stages[stage] : undefined;
    if (!known) problems.add(at, `There is no stage "${stage}".`, suggest(stage, Object.keys(stages), "Stages"));
    const options = step[stage] ?? {};
    checkOptions(written, [name, "steps", i, stage], stage, known, options, used, required);
    steps.push({ stage, options, at, known });
  }
  if (steps.length === written.steps.length) checkOrder(written, steps);
  for (const param of Object.keys(params))
    if (!used.has(param))
      problems.add(
        positions.key([name, "params", param]),
        `${name}: no step uses the param "${param}".`,
        `Write $${param} where an option should take it, or remove it.`,
      );
  return { steps: steps.map(({ stage, options }) => ({ stage, options })), required };
}

function checkOptions(
  { params, positions, problems }: Written,
  path: readonly (string | number)[],
  name: string,
  stage: AnyStage | undefined,
  written: Json,
  used: Set<string>,
  required: Set<string>,
): void {
  const defaults = Object.fromEntries(Object.entries(params).map(([param, spec]) => [param, spec.default]));
  const { options, references } = fill(written, defaults);
  for (const [where, param] of references) {
    used.add(param);
    if (!Object.hasOwn(params, param))
      problems.add(
        positions.value([...path, ...(where === "" ? [] : where.split("."))]),
        `There is no param "$${param}".`,
        suggest(param, Object.keys(params), "Params", "$"),
      );
  }
  if (!stage) return;
  const members = optionNames(stage);
  const unknown = (key: string, where: readonly PropertyKey[], message: string) => {
    const near = where.length > 0 ? undefined : nearest(key, members);
    const hint = `${near ? `Did you mean ${near}? ` : ""}pipe list ${name} shows its options.`;
    problems.add(positions.key([...path, ...where, key]), `${name}: ${message}`, hint);
  };
  // An option whose param has no value is left out of the options, so its name is looked at here.
  for (const [where, param] of references)
    if (defaults[param] === undefined && where !== "" && !where.includes(".") && !members.includes(where))
      unknown(where, [], `options has no member "${where}"`);
  const checked = stage.options.safeParse(options);
  if (checked.success) return;
  for (const { issue, key } of issuesOf(checked.error)) {
    if (key !== undefined) {
      unknown(key, issue.path, optionMessage(issue, key));
      continue;
    }
    const from = giverOf(references, issue.path);
    if (from !== undefined && defaults[from] === undefined) required.add(from);
    else
      problems.add(
        positions.value([...path, ...issue.path]),
        `${name}: ${optionMessage(issue, key)}${from === undefined ? "" : ` (from $${from})`}`,
        `pipe list ${name} shows its options.`,
      );
  }
}

function checkOrder(
  { name, positions, problems, stages }: Written,
  steps: readonly { stage: string; at: number; known: AnyStage | undefined }[],
): void {
  const first = steps[0];
  const last = steps.at(-1);
  if (!first || !last) {
    problems.add(positions.key([name, "steps"]), `${name} has no steps.`, "It needs a source first and a sink last.");
    return;
  }
  const those = (test: (stage: AnyStage) => boolean) =>
    Object.keys(stages)
      .filter((each) => test(stages[each]!))
      .sort()
      .join(", ");
  if (first.known && !takes(first.known).includes("none"))
    problems.add(
      first.at,
      `${first.stage} takes ${takes(first.known).join(" or ")}, but nothing is before it: the first step must be a source.`,
      `Sources: ${those((stage) => takes(stage).includes("none"))}.`,
    );
  for (const [i, step] of steps.entries()) {
    const before = steps[i - 1];
    if (!before?.known || !step.known) continue;
    const kinds = takes(step.known);
    if (kinds.includes("none"))
      problems.add(step.at, `${step.stage} is a source, but ${before.stage} stands before it.`);
    else if (!kinds.includes(before.known.gives))
      problems.add(
        step.at,
        `${step.stage} takes ${kinds.join(" or ")}, but ${before.stage} before it gives ${before.known.gives}.`,
      );
  }
  if (last.known && last.known.gives !== "artifact")
    problems.add(
      last.at,
      `${last.stage} gives ${last.known.gives}, but nothing is after it: the last step must be a sink.`,
      `Sinks: ${those((stage) => stage.gives === "artifact")}.`,
    );
}

/** The kinds that a stage reads; "none" for a source. */
export function takes(stage: AnyStage): readonly string[] {
  return Array.isArray(stage.takes) ? stage.takes : [stage.takes as string];
}

/** The names of a stage's options. */
export function optionNames(stage: AnyStage): string[] {
  const shape = (stage.options as { shape?: Record<string, unknown> }).shape;
  return Object.keys(shape ?? {});
}
