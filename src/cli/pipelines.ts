import { existsSync, statSync } from "node:fs";
import path from "node:path";
import type { Argv, CommandModule, Options } from "yargs";
import type { Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { type BoundPipeline, bind } from "../pipelines/bind.ts";
import { load, type Param, type Pipeline } from "../pipelines/load.ts";
import { packageRoot } from "../pipelines/package.ts";
import { suggest } from "../pipelines/suggest.ts";
import type { Stages } from "../stages/define.ts";
import { type Command, commandModule, type Given, type Session } from "./session.ts";

export const FILE_OPTION: Record<string, Options> = {
  file: {
    type: "string",
    describe: "pipelines file",
    defaultDescription: "pipelines.yaml here, else the project's own",
    requiresArg: true,
  },
};

/** The stages that a call works with. */
export async function knownStages(session: Session): Promise<Stages> {
  if (session.stages) return session.stages;
  const { stages } = await import("../stages/index.ts");
  return stages;
}

/** The pipelines and the stages that a call works with. */
export async function known(session: Session): Promise<{ pipelines: Record<string, Pipeline>; stages: Stages }> {
  const stages = await knownStages(session);
  return { pipelines: load(fileOf(session.args), stages), stages };
}

export interface Chosen {
  readonly pipeline: Pipeline;
  readonly bound: BoundPipeline;
  readonly stages: Stages;
}

/**
 * A command `verb NAME`, whose NAME is a pipeline: each pipeline is a command below it, with its params as options, so
 * that `--help` shows them in their own words.
 */
export function pipelineCommand(
  session: Session,
  verb: string,
  describe: string,
  options: Record<string, Options>,
  run: (given: Given, chosen: Chosen) => Promise<void> | void,
): CommandModule {
  return {
    command: verb,
    describe,
    async builder(y: Argv) {
      const { pipelines, stages } = await known(session);
      for (const pipeline of Object.values(pipelines))
        y.command(
          commandModule({
            command: pipeline.name,
            describe: pipeline.about,
            options: { ...paramOptions(pipeline.params), ...options, ...SET_OPTION, ...FILE_OPTION },
            takesWords: pipeline.params.some(({ name }) => name === "input"),
            run(given, words) {
              const values: Record<string, Json | undefined> = Object.fromEntries(
                pipeline.params.map(({ name }) => [name, given[name] as Json | undefined]),
              );
              if (words.length > 0) values.input = inputOf(pipeline, values.input, words);
              if (given.watch !== undefined) watched(pipeline, values, String(given.watch));
              const bound = bind(pipeline, stages, values, (given.set ?? []) as string[]);
              return run(given, { pipeline, bound, stages });
            },
          } satisfies Command),
        );
      return y
        .command({
          command: "$0 [name]",
          describe: false,
          handler({ name }) {
            const names = Object.keys(pipelines);
            throw name === undefined
              ? new PipeError(`Name a pipeline: pipe ${verb} NAME.`, { hint: suggest("", names, "Pipelines") })
              : new PipeError(`There is no pipeline "${name}".`, { hint: suggest(String(name), names, "Pipelines") });
          },
        })
        .usage(`pipe ${verb} NAME [INPUT …] [options]\n\n${describe}`)
        .options(FILE_OPTION);
    },
    handler() {},
  };
}

/** Words after a pipeline's name are what `--input` takes. */
function inputOf({ name, params }: Pipeline, given: Json | undefined, words: readonly string[]): Json {
  const { array } = params.find((param) => param.name === "input")!;
  const all = [...[(given ?? []) as string | string[]].flat(), ...words];
  if (array) return all;
  if (all.length === 1) return all[0]!;
  throw new PipeError(`${name} reads one input, and ${all.length} are named: ${all.join(", ")}.`);
}

/** The folder that is watched is the pipeline's input. */
function watched({ name, params }: Pipeline, values: Record<string, Json | undefined>, folder: string): void {
  const input = params.find((param) => param.name === "input");
  if (!input?.array || input.type !== "path")
    throw new PipeError(`--watch looks for new files, and ${name} does not read a list of files.`);
  if (values.input !== undefined)
    throw new PipeError("--watch names the folder to look into, and --input another.", { hint: "Give one of them." });
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new PipeError(`There is no folder ${folder} to watch.`);
  values.input = [folder];
}

const SET_OPTION: Record<string, Options> = {
  set: { type: "string", array: true, nargs: 1, describe: "any option of a step: stage.option=value" },
};

function paramOptions(params: readonly Param[]): Record<string, Options> {
  const group = "Options of this pipeline:";
  return Object.fromEntries(
    params.map((param) => [
      param.name,
      {
        type: param.type === "boolean" ? "boolean" : /number|integer/.test(param.type) ? "number" : "string",
        describe: param.help,
        group,
        ...(param.array && { array: true }),
        ...(param.type !== "boolean" && { requiresArg: true }),
        ...(param.choices && { choices: param.choices }),
        ...(param.alias !== undefined && { alias: param.alias }),
        // Not yargs' own default: a value that nobody gave must stay apart from one that somebody did.
        ...(param.default !== undefined && { defaultDescription: [param.default].flat().join(" ") }),
        ...(param.required && { describe: `${param.help} (needed)` }),
      } satisfies Options,
    ]),
  );
}

/** `--file`, needed before yargs has read the words: the options that it reads depend on the file. */
function fileOf(args: readonly string[]): string {
  for (const [i, arg] of args.entries()) {
    if (arg === "--") break;
    if (arg === "--file" && args[i + 1] !== undefined) return path.resolve(args[i + 1]!);
    if (arg.startsWith("--file=")) return path.resolve(arg.slice("--file=".length));
  }
  const here = path.resolve("pipelines.yaml");
  return existsSync(here) ? here : path.join(packageRoot, "pipelines.yaml");
}
