import { canonical, digestOf, type Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import { encodeSafetensors } from "../safetensors.ts";
import type { FitOptions } from "./types.ts";

/** All that decides a run's bytes, but for the number of iterations: a run may be lengthened. */
export function configOf(options: FitOptions, engine: { name: string; provider: string | null }): Json {
  const { name, seed, parts, start = {}, phases, validation, config = null } = options;
  const { checkpointEvery, keep, logEvery, stepsPerRun } = withDefaults(options);
  return {
    name,
    seed,
    engine: engine.provider === null ? engine.name : `${engine.name} ${engine.provider}`,
    checkpointEvery,
    keep,
    logEvery,
    stepsPerRun,
    parts: map(parts, (specs) => Object.fromEntries(specs.map((spec) => [spec.name, [...spec.shape]]))),
    start: map(parts, (_, part) => (start[part] ? digestOf(encodeSafetensors(start[part])) : `seed ${seed}`)),
    phases: Object.fromEntries(
      phases.map((phase) => [
        phase.name,
        {
          trains: [...phase.trains],
          every: phase.every ?? 1,
          optimiser: phase.optimiser.name,
          weights: { ...phase.weights },
        },
      ]),
    ),
    validation: validation
      ? {
          every: validation.every,
          metric: validation.metric,
          better: validation.better,
          patience: validation.patience ?? null,
          minDelta: validation.minDelta ?? 0,
        }
      : null,
    config,
  };
}

export function withDefaults({ checkpointEvery = 1000, keep = 2, logEvery = 10, stepsPerRun = 1 }: FitOptions) {
  return { checkpointEvery, keep, logEvery, stepsPerRun };
}

/** Throws a PipeError that names the first field in which a resumed run differs from what its folder was begun with. */
export function checkSame(was: Json, is: Json, folder: string): void {
  const found = difference(was, is, []);
  if (found === null) return;
  const { path, before, now } = found;
  throw new PipeError(`${folder} was begun with another configuration: ${path} was ${before}, now it is ${now}.`, {
    hint: "Train into another folder, or put the field back.",
  });
}

function difference(was: Json | undefined, is: Json | undefined, path: readonly string[]): Difference | null {
  if (isObject(was) && isObject(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const found = difference(was[key], is[key], [...path, key]);
      if (found) return found;
    }
    // Equal members in another order: phases run, and parameters lie, in the order in which they stand.
    const orders = [was, is].map((each) => Object.keys(each).join(", "));
    if (isOrdered(path) && orders[0] !== orders[1])
      return { path: `the order of ${path.join(".")}`, before: orders[0]!, now: orders[1]! };
    return null;
  }
  if (shown(was) === shown(is)) return null;
  return { path: path.join("."), before: shown(was), now: shown(is) };
}

interface Difference {
  readonly path: string;
  readonly before: string;
  readonly now: string;
}

const isOrdered = (path: readonly string[]) =>
  path.join(".") === "phases" || (path[0] === "parts" && path.length === 2);
const shown = (value: Json | undefined): string => (value === undefined ? "not there" : canonical(value));

function isObject(value: Json | undefined): value is { readonly [key: string]: Json | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function map<A, B>(record: Readonly<Record<string, A>>, body: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, body(value, key)]));
}
