import { z } from "zod";
import type { Stages } from "../stages/define.ts";
import { pipelineSchema } from "./load.ts";
import { reportSchema } from "./report.ts";

type JsonSchema = Record<string, unknown>;

/** JSON schema of a pipelines file: editors complete and underline stages, options and params by it. */
export function pipelinesJsonSchema(stages: Stages): JsonSchema {
  const defs: JsonSchema = {};
  const pipeline = jsonSchema(pipelineSchema, "input", defs, "pipeline");
  const properties = pipeline.properties as Record<string, JsonSchema>;
  const steps = Object.keys(stages)
    .sort()
    .map(
      (name) =>
        [name, stepSchema(stages[name]!.summary, jsonSchema(stages[name]!.options, "input", defs, name))] as const,
    );
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "affect-pipe pipelines",
    $defs: defs,
    type: "object",
    additionalProperties: {
      ...pipeline,
      properties: {
        ...properties,
        steps: {
          ...properties.steps,
          minItems: 1,
          items: {
            type: "object",
            minProperties: 1,
            maxProperties: 1,
            additionalProperties: false,
            properties: Object.fromEntries(steps),
          },
        },
      },
    },
  };
}

/** JSON schema of report.json. */
export function reportJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "affect-pipe run report",
    ...jsonSchema(reportSchema, "output"),
  };
}

/** JSON schema of a stage's options, as a user writes them. */
export function optionsJsonSchema(options: z.ZodType): JsonSchema {
  return jsonSchema(options, "input");
}

/** Every option may also be `$param`, and a stage without options may be written `stage:`. */
function stepSchema(summary: string, options: JsonSchema): JsonSchema {
  const members = Object.entries((options.properties ?? {}) as Record<string, JsonSchema>).map(([name, schema]) => {
    const { description, default: preset, ...rest } = schema;
    const anyOf = [withParams(rest), PARAM];
    return [name, { description, ...(preset !== undefined && { default: preset }), anyOf }] as const;
  });
  return { description: summary, anyOf: [{ ...options, properties: Object.fromEntries(members) }, { type: "null" }] };
}

const PARAM = { type: "string", pattern: "^\\$[a-z]" };

/** A list may have `$param` among its items, whichever of several forms of an option it is. */
function withParams(schema: JsonSchema): JsonSchema {
  const forms = schema.anyOf as readonly JsonSchema[] | undefined;
  if (forms) return { ...schema, anyOf: forms.map(withParams) };
  return schema.type === "array" ? { ...schema, items: { anyOf: [schema.items, PARAM] } } : schema;
}

/**
 * A schema without its frame. Where it becomes a part of another, what it refers to moves to `defs`, under names that
 * begin with `owner`.
 */
function jsonSchema(schema: z.ZodType, io: "input" | "output", defs?: JsonSchema, owner = ""): JsonSchema {
  const made: JsonSchema = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  delete made.$schema;
  if (!defs || made.$defs === undefined) return made;
  const text = JSON.stringify(made).replaceAll('"#/$defs/', `"#/$defs/${owner}`);
  const { $defs, ...rest } = JSON.parse(text) as JsonSchema & { $defs: JsonSchema };
  for (const [name, each] of Object.entries($defs)) defs[`${owner}${name}`] = each;
  return rest;
}
