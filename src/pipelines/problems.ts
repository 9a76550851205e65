import type { LineCounter } from "yaml";
import { PipeError } from "../errors.ts";

/** Something wrong in a pipelines file. */
export interface Problem {
  /** Characters from the file's beginning. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
}

/** Gathers problems, so that all are told at once in the order in which a reader meets them. */
export class Problems {
  readonly #lines: LineCounter;
  readonly #found: Problem[] = [];

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  add(offset: number, message: string, hint?: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#found.push({ offset, line, column: col, message, ...(hint !== undefined && { hint }) });
  }

  get list(): readonly Problem[] {
    return [...this.#found].sort((a, b) => a.offset - b.offset);
  }
}

/** One error that tells them all: `file:line:col message`, hints indented under it. */
export function problemsError(file: string, problems: readonly Problem[]): PipeError {
  const told = problems.map(
    ({ line, column, message, hint }) => `${file}:${line}:${column} ${message}${hint ? `\n  → ${hint}` : ""}`,
  );
  return new PipeError(told.join("\n"));
}
