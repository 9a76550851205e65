import type { Argv, CommandModule, Options } from "yargs";
import { PipeError } from "../errors.ts";
import { suggest } from "../pipelines/suggest.ts";
import type { Stages } from "../stages/define.ts";

/** One call of `pipe`: its words, where it speaks, and how it ends. */
export interface Session {
  readonly args: readonly string[];
  /** Results: stdout. */
  out(text: string): void;
  /** Everything else: stderr. */
  err(text: string): void;
  /** stderr is a terminal: a live block may be drawn there. */
  readonly live: boolean;
  exitCode: number;
  /** The stages there are; default: the project's. */
  readonly stages?: Stages;
}

export type Given = Record<string, unknown>;

/** What a command of the tool is made from. */
export interface Command {
  /** In yargs' words, e.g. "verify <dir>". */
  readonly command: string;
  readonly describe: string;
  readonly positionals?: Readonly<Record<string, Options & { type: "string" }>>;
  readonly options?: Readonly<Record<string, Options>>;
  /** It takes words beyond its name, as many as there are. */
  readonly takesWords?: boolean;
  run(given: Given, words: readonly string[]): Promise<void> | void;
}

/** `verify <dir>` as yargs knows it: what is missing is for us to say. */
const optional = (command: string): string => command.replace(/<(.+?)>/g, "[$1]");

/** An option as yargs knows it: which values are wrong or missing is for us to say. */
function forYargs({ choices, ...option }: Options): Options {
  const described = choices && `${option.describe ?? ""} [choices: ${choices.join(", ")}]`;
  return {
    ...option,
    ...(described && { describe: described }),
    ...(option.type !== "boolean" && { requiresArg: true }),
  };
}

/** A yargs command that refuses unknown options and superfluous words with the nearest valid name. */
export function commandModule({
  command,
  describe,
  positionals = {},
  options = {},
  takesWords = false,
  run,
}: Command): CommandModule {
  const words = command.split(" ").filter((word) => !/^[<[]/.test(word)).length;
  return {
    command: optional(command),
    describe,
    builder(y: Argv) {
      for (const [name, positional] of Object.entries(positionals)) y.positional(name, positional);
      return y.options(Object.fromEntries(Object.entries(options).map(([name, option]) => [name, forYargs(option)])));
    },
    async handler(given) {
      for (const [, name] of command.matchAll(/<(.+?)>/g))
        if (given[name!] === undefined)
          throw new PipeError(
            `${command.split(" ")[0]} needs a name: pipe ${command.replace(/<(.+?)>/, name!.toUpperCase())}.`,
            {
              hint: capital(`${positionals[name!]?.describe ?? name}.`),
            },
          );
      const names = Object.keys(options);
      const known = new Set(["_", "$0", "help", "h", "version", "v", ...Object.keys(positionals), ...names]);
      for (const { alias } of Object.values(options)) for (const other of [alias ?? []].flat()) known.add(other);
      const shown = (name: string) => (name.length === 1 ? `-${name}` : `--${name}`);
      for (const name of Object.keys(given))
        if (!known.has(name))
          throw new PipeError(`There is no option ${shown(name)}.`, { hint: suggest(name, names, "Options", "--") });
      for (const [name, option] of Object.entries(options)) checkOption(name, option, given[name]);
      const extra = (given._ as unknown[]).slice(depth(given, words)).map(String);
      if (extra.length > 0 && !takesWords)
        throw new PipeError(`"${extra[0]}" is one word too many.`, { hint: "Put quotes around a name with spaces." });
      await run(given as Given, extra);
    },
  };
}

/** Words that the command itself takes: `run NAME` is two, `verify` one. */
function depth(given: Given, words: number): number {
  const [first] = given._ as unknown[];
  return words + (typeof first === "string" && NESTED.has(first) ? 1 : 0);
}

/** Commands whose next word is a pipeline's name. */
export const NESTED = new Set(["run", "plan", "show"]);

function checkOption(name: string, { type, array, choices }: Options, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value) && !array) throw new PipeError(`--${name} is given more than once.`);
  const values = [value].flat();
  if (type === "number" && values.some((each) => typeof each !== "number" || Number.isNaN(each)))
    throw new PipeError(`--${name} takes a number.`);
  const other = choices && values.find((each) => !choices.includes(each as string));
  if (other !== undefined)
    throw new PipeError(`--${name} takes one of ${choices!.join(", ")}, got ${JSON.stringify(other)}.`);
}

const capital = (text: string): string => text.replace(/^./, (c) => c.toUpperCase());

/** A whole number of at least `least`, or undefined when it is not given. */
export function whole(given: Given, name: string, least: number): number | undefined {
  const value = given[name] as number | undefined;
  if (value !== undefined && (!Number.isSafeInteger(value) || value < least))
    throw new PipeError(`--${name} takes a whole number of at least ${least}.`);
  return value;
}

/** Text for a terminal: names may hold line breaks and other control characters, and those are shown as such. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) =>
    JSON.stringify(c).slice(1, -1).replace(/^(.)$/s, "\\x7f"),
  );
}
