#!/usr/bin/env node
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import yargs from "yargs";
import { PipeError } from "../errors.ts";
import { version } from "../pipelines/package.ts";
import { exportCommand } from "./export.ts";
import { listCommand } from "./list.ts";
import { NAMES, unknownCommand } from "./names.ts";
import { known } from "./pipelines.ts";
import { planCommand } from "./plan.ts";
import { runCommand } from "./run.ts";
import { printable, type Session } from "./session.ts";
import { showCommand } from "./show.ts";
import { synthCommand } from "./synth.ts";
import { verifyCommand } from "./verify.ts";

/** Runs one call of `pipe`; resolves with its exit code: 0 done, 1 usage or config, 2 some items failed, 130 interrupted. */
export async function main(session: Session): Promise<number> {
  try {
    const first = session.args.find((arg) => !arg.startsWith("-"));
    if (first !== undefined && first !== "help" && !NAMES.includes(first)) throw await unknown(first, session);
    const said = await parse(session);
    if (said) session.out(`${said}\n`);
  } catch (error) {
    session.err(`${explain(error)}\n`);
    return 1;
  }
  return session.exitCode;
}

/** A pipeline's name, where a command is to stand, is what people type most. */
async function unknown(name: string, session: Session): Promise<PipeError> {
  const { pipelines } = await known(session).catch(() => ({ pipelines: {} }));
  if (!Object.hasOwn(pipelines, name)) return unknownCommand(name);
  const typed = session.args.map(printable).join(" ");
  return new PipeError(`"${name}" is a pipeline, not a command.`, { hint: `Run it: pipe run ${typed}` });
}

/** `pipe help run score` is `pipe run score --help`. */
function words({ args }: Session): string[] {
  const [first, ...others] = args;
  return first === "help" ? [...others, "--help"] : [...args];
}

async function parse(session: Session): Promise<string> {
  let said = "";
  const parser = yargs()
    .scriptName("pipe")
    .usage("pipe COMMAND [options]\n\nData pipelines for affect recognition in video.")
    .version(version())
    .alias({ help: "h", version: "v" })
    .updateStrings({ "Not enough arguments following: %s": "--%s needs a value" })
    .exitProcess(false)
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    // Names are taken as they are written; "--no-x" is for booleans alone.
    .parserConfiguration({ "camel-case-expansion": false, "dot-notation": false, "parse-positional-numbers": false })
    .fail((message, error) => {
      if (error && error.name !== "YError") throw error;
      const words = message || error.message;
      throw new PipeError(`${words}${/[.!?]$/.test(words) ? "" : "."}`, { hint: "--help shows what there is." });
    });
  for (const make of [runCommand, planCommand, listCommand, showCommand, verifyCommand, exportCommand, synthCommand])
    parser.command(make(session));
  parser.demandCommand(1, "Name a command.");
  await parser.parseAsync(words(session), {}, (_error, _argv, output) => {
    said = output;
  });
  return said;
}

/** A PipeError in its own words; anything else is a bug, with its stack. */
function explain(error: unknown): string {
  if (error instanceof PipeError)
    return error.hint === undefined ? error.message : `${error.message}\n  → ${error.hint}`;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${stack}\nThis is a bug in affect-pipe: please report it with the lines above and the command.`;
}

function isMain(): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isMain()) {
  // A reader that has seen enough (`pipe list | head -1`) is no error, and a run that stops because its terminal was
  // closed (EIO) has still to save.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
    });
  // Setting the code, not calling exit: what is still on its way to a pipe then gets there.
  process.exitCode = await main({
    args: process.argv.slice(2),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    live: process.stderr.isTTY === true,
    exitCode: 0,
  });
}
