import { PipeError } from "../errors.ts";
import { suggest } from "../pipelines/suggest.ts";

/** The commands of `pipe`. */
export const NAMES = ["run", "plan", "list", "show", "verify", "export", "synth"];

export function unknownCommand(name: string): PipeError {
  return new PipeError(`There is no command "${name}".`, { hint: suggest(name, NAMES, "Commands") });
}
