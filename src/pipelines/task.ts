import type { Json } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { type Counts, Ledger } from "../ledger.ts";
import type { AnyRecord, Verdict } from "../records.ts";
import { type SharedPool, warnIn } from "../stages/context.ts";
import type { AnyStage, BoundStage, Context, Stages } from "../stages/define.ts";
import { compose } from "./compose.ts";
import type { Task } from "./plan.ts";

/**
 * How a task ended. `partial`: published, but the input was truncated or damaged. `stopped`: the run was ended before the
 * task was, and nothing was published.
 */
export interface Outcome {
  readonly status: "done" | "cached" | "failed" | "partial" | "stopped";
  readonly reason?: string;
  readonly verdict: Verdict | null;
  readonly counts: Counts;
  /** Wall clock. */
  readonly seconds: number;
  /** Seconds inside each stage. */
  readonly stages: Readonly<Record<string, number>>;
  readonly facts: Readonly<Record<string, Json>>;
  /** Paths of what was published. */
  readonly artifacts: readonly string[];
  /** What failed the task, as thrown. */
  readonly error?: unknown;
}

export interface TaskTools {
  readonly stages: Stages;
  readonly signal: AbortSignal;
  /** Asks stages that can go on later to save what they have. */
  readonly drain: AbortSignal;
  readonly pool: SharedPool;
  note(message: string): void;
  /** Hears how far the task is, 0..1, and in words. */
  readonly standing?: (share: number, words: string) => void;
  /** Sees every record as the step at this position gives it. */
  readonly tap?: (record: AnyRecord, step: number) => void;
}

/** Does one task. Never rejects: what goes wrong is in the outcome. */
export async function runTask(task: Task, tools: TaskTools): Promise<Outcome> {
  const startedAt = performance.now();
  const ledger = new Ledger();
  const facts: Record<string, Json> = {};
  const stages: Record<string, number> = {};
  let ending: Context["ending"] = null;
  const tracks = new Set<number>();
  const note = (message: string) => tools.note(`${task.source.name}: ${message}`);
  const contextOf = ({ key, parts }: Task["steps"][number], i: number): Context => ({
    signal: tools.signal,
    drain: tools.drain,
    source: task.source,
    key,
    keyParts: parts as unknown as Json,
    ledger,
    verdict(verdict, detail) {
      ending = detail === undefined ? { verdict } : { verdict, detail };
    },
    get ending() {
      return ending;
    },
    facts,
    getsBack: tools.stages[task.steps[i + 1]?.stage ?? ""]?.givesBack === true,
    note,
    warn: (message) => warnIn(facts, message, note),
    standing: (share, words) => tools.standing?.(share, words),
    shared: (name, open) => tools.pool.get(name, open),
  });
  const outcome = (status: Outcome["status"], artifacts: readonly string[], reason?: string): Outcome => ({
    status,
    ...(reason !== undefined && { reason }),
    verdict: (ending as Context["ending"])?.verdict ?? null,
    counts: ledger.counts,
    seconds: (performance.now() - startedAt) / 1000,
    stages,
    facts,
    artifacts,
  });
  try {
    const { names, bound } = await boundSteps(task, tools.stages, contextOf);
    const { records } = await compose(bound, {
      signal: tools.signal,
      tap(record, step) {
        if ("track" in record && record.track >= 0 && tracks.size < tracks.add(record.track).size)
          facts.tracks = tracks.size;
        tools.tap?.(record, step);
      },
      seconds(seconds) {
        // A stage that stands twice in a pipeline is timed as one.
        for (const [i, name] of names.entries())
          stages[name] = (stages[name] ?? 0) + Math.round((seconds[i] ?? 0) * 1e4) / 1e4;
      },
    });
    ledger.check();
    const artifacts = records.flatMap((record) => (record.kind === "artifact" ? [record.path] : []));
    if (artifacts.length === 0) throw new PipeError("Nothing was published.");
    const end = ending as Context["ending"];
    if (end === null || end.verdict === "complete") return outcome("done", artifacts);
    return outcome("partial", artifacts, end.detail ?? `The input is ${end.verdict}.`);
  } catch (error) {
    if (tools.signal.aborted) return outcome("stopped", [], "Stopped before its end.");
    if (tools.drain.aborted && error === tools.drain.reason)
      return outcome("stopped", [], "Stopped before its end; the same command goes on.");
    return { ...outcome("failed", [], reasonOf(error)), error };
  }
}

type Step = Task["steps"][number];

/**
 * The stages that a task runs: all of its steps or, where the sink has stored what the steps before those that annotate
 * have made, the stored records, those that annotate, and the sink.
 */
async function boundSteps(
  task: Task,
  stages: Stages,
  contextOf: (step: Step, i: number) => Context,
): Promise<{ names: string[]; bound: { stage: BoundStage; context: Context }[] }> {
  const all = task.steps.map((step, i) => ({
    name: step.stage,
    annotates: stages[step.stage]?.annotates,
    stage: boundStage(step, stages),
    context: contextOf(step, i),
  }));
  const annotates = new Map(all.flatMap(({ name, annotates }) => (annotates ? [[name, annotates] as const] : [])));
  const [sink, { options, parts }] = [all.at(-1)!, task.steps.at(-1)!];
  const asked = { source: task.source, parts: parts as unknown as Json, annotates };
  const stored = task.anew || annotates.size === 0 ? undefined : await stages[sink.name]!.stored?.(options, asked);
  if (stored === undefined) return { names: all.map(({ name }) => name), bound: all };
  const first = { name: STORED, stage: storedStage(stored, all[0]!.stage), context: all[0]!.context };
  const chosen = [first, ...all.filter((one) => one.annotates !== undefined), sink];
  return { names: chosen.map(({ name }) => name), bound: chosen };
}

/** What reading stored records is called among the seconds of stages. */
const STORED = "stored";

function storedStage(
  records: (context: Context) => AsyncGenerator<AnyRecord, void, void>,
  first: BoundStage,
): BoundStage {
  const stage = { ...first.stage, name: STORED, takes: "none" as const };
  return { stage, options: {}, run: (context) => () => records(context) };
}

function boundStage({ stage, options }: Task["steps"][number], stages: Stages): BoundStage {
  const known = stages[stage] as AnyStage;
  return { stage: known, options, run: (context) => known.run(options, context) };
}
