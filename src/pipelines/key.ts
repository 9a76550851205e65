import { z } from "zod";
import { canonical, digestOf, type Json } from "../digest.ts";
import type { Source } from "../records.ts";
import type { AnyStage, Stages } from "../stages/define.ts";
import type { Step } from "./bind.ts";

/** What one step adds to the key: all that shapes its output, and nothing else. */
export interface StepParts {
  readonly stage: string;
  readonly version: number;
  /** The options without the stage's `runtime` ones. */
  readonly options: { readonly [name: string]: Json };
  /** sha256 by model name. */
  readonly models: Readonly<Record<string, string>>;
  /** sha256 of files beside the source, by what they are; absent where there are none. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What a key was made from: the source's bytes and the steps up to and including the one it names. */
export interface KeyParts {
  readonly source: string;
  readonly steps: readonly StepParts[];
}

export interface StepKey {
  readonly key: string;
  readonly parts: KeyParts;
}

/** The parts of every step. Model files are digested here, once for all sources. */
export async function partsOf(steps: readonly Step[], stages: Stages): Promise<StepParts[]> {
  const first = steps[0]!;
  const asked = (stages[first.stage] as AnyStage).folds?.(first.options);
  return Promise.all(
    steps.map(async ({ stage, options }) => {
      const known = stages[stage] as AnyStage;
      const runtime = new Set<string>(known.runtime ?? []);
      const kept = Object.entries((options ?? {}) as Record<string, Json | undefined>).filter(
        (entry): entry is [string, Json] => !runtime.has(entry[0]) && entry[1] !== undefined,
      );
      return {
        stage,
        version: known.version,
        options: Object.fromEntries(kept),
        models: (await known.models?.(options, asked)) ?? {},
      };
    }),
  );
}

/** The parts as one source has them, where it decides which model a stage takes and which files beside it are read. */
export async function partsFor(
  source: Source,
  steps: readonly Step[],
  parts: readonly StepParts[],
  stages: Stages,
  note: (message: string) => void = () => {},
): Promise<readonly StepParts[]> {
  return Promise.all(
    parts.map(async (part, i) => {
      const { stage, options } = steps[i]!;
      const known = stages[stage] as AnyStage;
      const models = (await known.modelsFor?.(options, source)) ?? {};
      const files = (await known.filesFor?.(options, source, { note })) ?? {};
      const own = { ...part, models: { ...part.models, ...models } };
      return Object.keys(files).length === 0 ? own : { ...own, files };
    }),
  );
}

/**
 * The key of every step for one source:
 * key(step) = sha256 of the canonical JSON of { stage, version, options, models, files, key of the step before },
 * where the source's digest stands before the first. Equal keys mean equal bytes.
 */
export function keysOf(source: string, steps: readonly StepParts[]): StepKey[] {
  let before = source;
  return steps.map((step, i) => {
    before = digestOf({ ...step, before });
    return { key: before, parts: { source, steps: steps.slice(0, i + 1) } };
  });
}

const partsSchema = z.object({
  source: z.string(),
  steps: z.array(
    z.object({
      stage: z.string(),
      version: z.number(),
      options: z.record(z.string(), z.json()),
      models: z.record(z.string(), z.string()),
      files: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

/**
 * Names every field in which two keys' parts differ, e.g. "crop-faces.margin: 0.25 → 0.3",
 * "encode-latents.models.generator: 1a2b… → 3c4d…", "source: bytes changed". Empty when they are equal.
 */
export function difference(before: Json, now: KeyParts): string[] {
  const read = partsSchema.safeParse(before);
  if (!read.success) return ["key parts: written in another form"];
  const old = read.data;
  const found = old.source === now.source ? [] : ["source: bytes changed"];
  const [was, is] = [named(old.steps as StepParts[]), named(now.steps)];
  for (const name of was.keys()) if (!is.has(name)) found.push(`${name}: step removed`);
  for (const [name, step] of is) {
    const earlier = was.get(name);
    if (!earlier) {
      found.push(`${name}: step added`);
      continue;
    }
    if (earlier.version !== step.version) found.push(`${name}.version: ${earlier.version} → ${step.version}`);
    compare(name, earlier.options, step.options, found);
    for (const kind of ["models", "files"] as const) {
      const [one, other] = [earlier[kind] ?? {}, step[kind] ?? {}];
      for (const file of new Set([...Object.keys(one), ...Object.keys(other)]))
        if (one[file] !== other[file])
          found.push(`${name}.${kind}.${file}: ${short(one[file])} → ${short(other[file])}`);
    }
  }
  const kept = [...is.keys()].filter((name) => was.has(name));
  const order = [...was.keys()].filter((name) => is.has(name));
  if (kept.join() !== order.join()) found.push(`steps: ${order.join(", ")} → ${kept.join(", ")}`);
  return found;
}

/**
 * How something that was made of the same bytes differs from what is to be made: `other`, by its steps, options or kinds of
 * model; `newer`, by the bytes of a model alone, as after a training. Another version of a stage, or another file beside the
 * source, does the same work anew and makes no difference here.
 */
export function replacement(before: Json, now: KeyParts): "other" | "newer" | undefined {
  const read = partsSchema.safeParse(before);
  if (!read.success || read.data.source !== now.source) return undefined;
  type Steps = z.output<typeof partsSchema>["steps"];
  const [was, is] = [read.data.steps, now.steps as Steps];
  const means = (steps: Steps) =>
    canonical(steps.map(({ stage, options, models = {} }) => ({ stage, options, models: Object.keys(models).sort() })));
  if (means(was) !== means(is)) return "other";
  const models = (steps: Steps) => canonical(steps.map(({ models = {} }) => models));
  return models(was) === models(is) ? undefined : "newer";
}

function compare(path: string, before: Json | undefined, now: Json | undefined, found: string[]): void {
  if (before !== undefined && now !== undefined && canonical(before) === canonical(now)) return;
  if (isMap(before) && isMap(now)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(now)]))
      if (before[name] !== undefined || now[name] !== undefined)
        compare(`${path}.${name}`, before[name], now[name], found);
  } else found.push(`${path}: ${show(before)} → ${show(now)}`);
}

/** Steps by name; the second step of one stage is `stage#2`. */
function named(steps: readonly StepParts[]): Map<string, StepParts> {
  const map = new Map<string, StepParts>();
  for (const step of steps) {
    let name = step.stage;
    for (let n = 2; map.has(name); n++) name = `${step.stage}#${n}`;
    map.set(name, step);
  }
  return map;
}

function isMap(value: Json | undefined): value is { readonly [name: string]: Json | undefined } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function show(value: Json | undefined): string {
  return value === undefined ? "unset" : canonical(value);
}

function short(digest: string | undefined): string {
  return digest === undefined ? "none" : `${digest.slice(0, 4)}…`;
}
