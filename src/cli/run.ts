import type { CommandModule } from "yargs";
import { PROGRESS, progress } from "../pipelines/progress.ts";
import { run } from "../pipelines/run.ts";
import { afterwards } from "./afterwards.ts";
import { memoDigest } from "./digests.ts";
import { onInterrupt } from "./interrupt.ts";
import { pipelineCommand } from "./pipelines.ts";
import { type Session, whole } from "./session.ts";
import { summary } from "./summary.ts";

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
      const say = given.progress === "json" ? shown.note.bind(shown) : (line: string) => session.err(`${line}\n`);
      for (const line of await afterwards(result, bound, stages)) say(line);
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
