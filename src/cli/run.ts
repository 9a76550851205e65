import type { CommandModule } from "yargs";
import type { Json } from "../digest.ts";
import { PROGRESS, progress } from "../pipelines/progress.ts";
import { type RunResult, run } from "../pipelines/run.ts";
import { memoDigest } from "./digests.ts";
import { onInterrupt } from "./interrupt.ts";
import { pipelineCommand } from "./pipelines.ts";
import { printable, type Session, whole } from "./session.ts";
import { table } from "./table.ts";

export function runCommand(session: Session): CommandModule {
  return pipelineCommand(
    session,
    "run",
    "run a pipeline; what is already published is not computed again",
    {
      jobs: {
        type: "number",
        describe: "sources worked on at once; more than one: each in a process of its own, with its share of the cores",
        defaultDescription: "1",
      },
      watch: {
        type: "string",
        describe: "instead of --input: keep looking into this folder for new, finished files, until interrupted",
        requiresArg: true,
      },
      limit: { type: "number", describe: "at most this many sources" },
      force: {
        type: "boolean",
        describe: "work on what is cached, too; latents that are cached and intact are not replaced",
      },
      progress: {
        type: "string",
        choices: PROGRESS,
        describe: "auto: a live block on a terminal, else a line every 10 s; json: one object a line",
        defaultDescription: "auto",
        requiresArg: true,
      },
    },
    async (given, { bound, stages }) => {
      const [jobs, limit] = [whole(given, "jobs", 1), whole(given, "limit", 1)];
      const { live } = session;
      const columns = process.stderr.columns as number | undefined;
      const screen = { write: (text: string) => session.err(text), live, ...(columns && { columns }) };
      const shown = progress((given.progress as (typeof PROGRESS)[number] | undefined) ?? "auto", screen);
      await using processes = jobs !== undefined && jobs > 1 ? await separate(jobs, session) : undefined;
      using interrupt = onInterrupt((message) => shown.note(message));
      const result = await run(bound, {
        stages,
        ...(jobs !== undefined && { jobs }),
        ...(limit !== undefined && { limit }),
        force: given.force === true,
        drain: interrupt.drain,
        stop: interrupt.stop,
        digest: (output) => memoDigest(output, { create: true }),
        progress: shown,
        ...(processes && { perform: processes.perform }),
        ...(given.watch !== undefined && { watch: WATCH }),
      });
      session.out(summary(result));
      session.exitCode = result.exitCode;
    },
  );
}

/** A folder is looked into every so often, and a file is finished when nothing about it has changed for so long. */
const WATCH = { every: 1_000, steady: 2_000 };

/** Stages of somebody's own, as tests have them, cannot be sent to another process. */
async function separate(jobs: number, { stages }: Session) {
  if (stages) return undefined;
  const { TaskProcesses } = await import("../pipelines/processes.ts");
  return new TaskProcesses(jobs);
}

/** What was found, item by item; the last line is the folder that holds what was made. */
function summary({ report, outcomes, output }: RunResult): string {
  const metrics = [...new Set(outcomes.flatMap(({ facts }) => Object.keys(measured(facts))))];
  const rows = report.items.map((item, i) => {
    const found = Object.entries(item.counts.rows).filter(([, n]) => n > 0);
    const { facts, seconds } = outcomes[i]!;
    return [
      printable(item.source.name),
      item.status,
      found.map(([status, n]) => `${status} ${n}`).join(", "),
      facts.tracks === undefined ? "" : String(facts.tracks),
      item.verdict ?? "",
      ...metrics.map((name) => measured(facts)[name]?.toFixed(3) ?? ""),
      seconds === 0 ? "" : seconds.toFixed(2),
      item.reason === undefined ? "" : printable(item.reason),
    ];
  });
  const { done, cached, partial, failed, stopped, notStarted } = report.totals;
  const all = { done, cached, partial, failed, stopped, "not started": notStarted };
  const counts = Object.entries(all).filter(([, n]) => n > 0);
  const facts = Object.entries(report.facts)
    .filter(([name]) => name !== "metrics" && name !== "text")
    .map(([name, value]) => `${name}: ${words(value as Json)}\n`);
  return [
    // What a stage has to show is shown as it is.
    ...outcomes.flatMap(({ facts: { text } }) => (typeof text === "string" ? [`${text}\n`] : [])),
    table(filled(["source", "status", "rows", "tracks", "verdict", ...metrics, "seconds", ""], rows)),
    ...facts,
    `${counts.map(([name, n]) => `${n} ${name}`).join(", ") || "nothing done"} in ${report.seconds.toFixed(1)} s\n`,
    `${output}\n`,
  ].join("");
}

/** The numbers that a stage measured on its own result, by name. */
function measured({ metrics }: Readonly<Record<string, Json>>): Record<string, number> {
  return (metrics ?? {}) as Record<string, number>;
}

/** The columns that some row has something in; empty cells of those are a dash. */
function filled(head: readonly string[], rows: readonly (readonly string[])[]): string[][] {
  const kept = head.flatMap((name, i) => (name === "" || rows.some((row) => row[i] !== "") ? [i] : []));
  const line = (row: readonly string[]) => kept.map((i) => row[i] || (head[i] === "" ? "" : "-"));
  return [kept.map((i) => head[i]!), ...rows.map(line)];
}

/** A fact on one line: `blazeface (onnx, cpu)` for { name: "blazeface", engine: "onnx", provider: "cpu" }. */
function words(fact: Json): string {
  if (Array.isArray(fact)) return fact.map(words).join(", ");
  if (fact === null || typeof fact !== "object") return String(fact);
  const { name, ...rest } = fact as Record<string, Json>;
  const others = Object.values(rest)
    .filter((value) => value !== null)
    .map(words)
    .join(", ");
  return name === undefined ? others : `${words(name)}${others && ` (${others})`}`;
}
