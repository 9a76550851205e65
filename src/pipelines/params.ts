import { z } from "zod";
import type { Json } from "../digest.ts";

export const PARAM_TYPES = ["string", "number", "integer", "boolean", "path"] as const;

/** One param of a pipeline, as the file writes it. */
export const paramSchema = z.strictObject({
  type: z.enum(PARAM_TYPES).describe("what a value is; a path is a file, folder or glob"),
  default: z.json().optional().describe("value when none is given; without one, the options it feeds are left out"),
  help: z.string().min(1).describe("shown by pipe run NAME --help"),
  array: z.boolean().default(false).describe("takes several values"),
  choices: z.array(z.string()).min(1).optional().describe("the only values allowed"),
  alias: z.string().min(1).optional().describe("another name on the command line, e.g. one letter"),
  bundled: z
    .boolean()
    .default(false)
    .describe(
      "a default path comes with the project: where the working folder lacks it, it is taken from beside this file",
    ),
});
export type ParamSpec = z.output<typeof paramSchema>;

/** What is wrong with a param's value, in words; undefined when nothing is. */
export function wrongValue(param: ParamSpec, value: Json): string | undefined {
  if (param.array !== Array.isArray(value))
    return param.array ? "takes a list of values" : `takes one ${param.type}, got ${show(value)}`;
  for (const each of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
    if (!fits(param.type, each)) return `takes ${article(param.type)}, got ${show(each)}`;
    if (param.choices && !param.choices.includes(String(each)))
      return `takes one of ${param.choices.join(", ")}, got ${show(each)}`;
  }
  return undefined;
}

/** What became of the `$param` references of one step's options. */
export interface Filled {
  /** The options with references replaced; members whose param has no value are absent. */
  readonly options: Json;
  /** Where each reference stood (path joined by dots) and which param it named. */
  readonly references: ReadonlyMap<string, string>;
}

/** Replaces every text that is wholly `$name` by `values[name]`; `$$…` stands for a text that begins with a dollar sign. */
export function fill(options: Json, values: Readonly<Record<string, Json | undefined>>): Filled {
  const references = new Map<string, string>();
  const visit = (value: Json, path: readonly (string | number)[]): Json | undefined => {
    if (typeof value === "string") {
      if (value.startsWith("$$")) return value.slice(1);
      if (!value.startsWith("$")) return value;
      references.set(path.join("."), value.slice(1));
      return Object.hasOwn(values, value.slice(1)) ? values[value.slice(1)] : undefined;
    }
    if (Array.isArray(value))
      return (value as readonly Json[])
        .map((each, i) => visit(each, [...path, i]))
        .filter((each) => each !== undefined);
    if (value === null || typeof value !== "object") return value;
    const members = Object.entries(value).map(([name, each]) => [name, visit(each ?? null, [...path, name])] as const);
    return Object.fromEntries(members.filter(([, each]) => each !== undefined));
  };
  return { options: visit(options, []) ?? {}, references };
}

/** The param that gave the value at this path, or a value around it. */
export function giverOf(references: ReadonlyMap<string, string>, path: readonly PropertyKey[]): string | undefined {
  for (let length = path.length; length >= 0; length--) {
    const name = references.get(path.slice(0, length).join("."));
    if (name !== undefined) return name;
  }
  return undefined;
}

function fits(type: ParamSpec["type"], value: Json): boolean {
  if (type === "boolean") return typeof value === "boolean";
  if (type === "number") return typeof value === "number" && Number.isFinite(value);
  if (type === "integer") return Number.isSafeInteger(value);
  return typeof value === "string";
}

function article(type: string): string {
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}

function show(value: Json): string {
  return JSON.stringify(value);
}
