import { digestFile } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import type { Refused, Source } from "../records.ts";
import type { AnyStage, Cached, Stages } from "../stages/define.ts";
import type { BoundPipeline, Step } from "./bind.ts";
import { difference, keysOf, partsFor, partsOf, replacement, type StepKey, type StepParts } from "./key.ts";

/** What is to be done with one source, and why: plain data. */
export interface PlanItem {
  readonly source: { readonly name: string; readonly path: string; readonly bytes?: number; readonly digest?: string };
  readonly action: "cached" | "run" | "refused";
  readonly why: string;
  /** The key parts' fields that differ from what is published for this source; empty when nothing is. */
  readonly changed: readonly string[];
  /**
   * What is published for these very bytes is another result, and the sink keeps one a source. `other`: made with other
   * options or another kind of model, so that a run replaces it only where it is forced to. `newer`: the bytes of a model
   * have changed since, and a run replaces it and says so.
   */
  readonly replaces?: "other" | "newer";
  /** The sink's key; null when refused. */
  readonly key: string | null;
}

/** The unit of work: serialisable, so that this process, another one or a job array can do it. */
export interface Task {
  readonly pipeline: string;
  readonly source: Source;
  readonly steps: readonly (Step & StepKey)[];
  /** Every step runs, whatever is stored. */
  readonly anew?: true;
}

export interface Planned {
  readonly item: PlanItem;
  /** Absent when the source is refused. */
  readonly task?: Task;
  /** What is published already; present when `action` is `cached`. */
  readonly cached?: Cached;
}

export interface PlanOptions {
  readonly stages: Stages;
  readonly signal?: AbortSignal;
  /** At most this many sources. */
  readonly limit?: number;
  /** Plan to run what is cached, too. */
  readonly force?: boolean;
  /** What every step adds to the keys, where it is known already: models are then not read again. */
  readonly parts?: readonly StepParts[];
  /** sha256 of a file; default: reads it. */
  readonly digest?: (path: string) => Promise<string>;
  /** Hears what a source stage has to say. */
  readonly note?: (message: string) => void;
}

/**
 * Looks at every source of a bound pipeline, in order, without decoding anything. What is wrong with one source refuses it;
 * what is wrong for all of them (`PipeError.forAll`) is thrown.
 */
export async function* plan(pipeline: BoundPipeline, options: PlanOptions): AsyncGenerator<Planned, void, void> {
  const { stages, limit = Number.POSITIVE_INFINITY, force = false } = options;
  const note = once(options.note);
  const signal = options.signal ?? new AbortController().signal;
  const digest = options.digest ?? ((path) => digestFile(path, signal));
  const first = pipeline.steps[0]!;
  const sources = (stages[first.stage] as AnyStage).sources;
  if (!sources) throw new Error(`${first.stage} is a source stage without sources()`);
  const parts = options.parts ?? (await partsOf(pipeline.steps, stages));
  let n = 0;
  if (limit <= 0) return;
  for await (const source of sources(first.options, { signal, digest, note })) {
    signal.throwIfAborted();
    if ("refused" in source) yield { item: refusal(source, source.refused) };
    else {
      const task = await taskOf(pipeline, source, parts, stages, note).catch(reasonUnlessForAll);
      yield typeof task === "string" ? { item: refusal(source, task) } : await look(task, stages, force);
    }
    if (++n >= limit) return;
  }
}

/** The same message is passed on only the first time. */
export function once(note: (message: string) => void = () => {}): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (said.has(message)) return;
    said.add(message);
    note(message);
  };
}

/** What is already published for this task, if it is whole. */
export async function cachedFor(task: Task, stages: Stages): Promise<Cached | undefined> {
  const last = task.steps.at(-1)!;
  return stages[last.stage]?.cached?.(last.options, { source: task.source, key: last.key });
}

function reasonUnlessForAll(error: unknown): string {
  if (error instanceof PipeError && error.forAll) throw error;
  return reasonOf(error);
}

async function taskOf(
  pipeline: BoundPipeline,
  source: Source,
  parts: readonly StepParts[],
  stages: Stages,
  note: (message: string) => void,
): Promise<Task> {
  const keys = keysOf(source.digest, await partsFor(source, pipeline.steps, parts, stages, note));
  return {
    pipeline: pipeline.name,
    source,
    steps: pipeline.steps.map((step, i) => ({ ...step, ...keys[i]! })),
  };
}

async function look(task: Task, stages: Stages, force: boolean): Promise<Planned> {
  const last = task.steps.at(-1)!;
  const { path, name, bytes, digest } = task.source;
  const item = { source: { name, path, bytes, digest }, key: last.key };
  try {
    const cached = await cachedFor(task, stages);
    if (cached && !force)
      return {
        item: { ...item, action: "cached", why: `published at ${cached.artifact.path}`, changed: [] },
        task,
        cached,
      };
    if (cached) return { item: { ...item, action: "run", why: "forced", changed: [] }, task: { ...task, anew: true } };
    const published = (await stages[last.stage]?.published?.(last.options, task.source)) ?? [];
    if (published.length === 0)
      return { item: { ...item, action: "run", why: "not published yet", changed: [] }, task };
    const differences = published.map((before) => difference(before, last.parts));
    const changed = differences.reduce((least, each) => (each.length < least.length ? each : least));
    const why = changed.length > 0 ? changed.join("; ") : "published, but not whole any more";
    const kinds =
      stages[last.stage]?.keepsOne === true && !force ? published.map((each) => replacement(each, last.parts)) : [];
    const replaces = kinds.find((kind) => kind === "other") ?? kinds.find((kind) => kind === "newer");
    return { item: { ...item, action: "run", why, changed, ...(replaces && { replaces }) }, task };
  } catch (error) {
    return { item: refusal(task.source, reasonOf(error)) };
  }
}

function refusal({ name, path }: Source | Refused, why: string): PlanItem {
  return { source: { name, path }, action: "refused", why, changed: [], key: null };
}
