import { stat } from "node:fs/promises";
import { PipeError } from "../errors.ts";
import type { Planned } from "./plan.ts";

export interface WatchOptions {
  /** Milliseconds between the end of a round and the next. */
  readonly every: number;
  /** Milliseconds for which size and times of a file must have stayed, before it is taken for finished. */
  readonly steady: number;
}

/** Which of the files that are found round after round are finished and were not found before. */
export class News {
  readonly #sha256: (path: string) => Promise<string>;
  readonly #steady: number;
  /** What each file looked like when it was last seen, and since when. */
  readonly #looks = new Map<string, { readonly print: string; readonly since: number }>();
  /** What each file looked like when it was taken. */
  readonly #taken = new Map<string, string>();

  /** Files that this round passes over, from their digest on. */
  readonly #passed = new Set<string>();

  constructor(sha256: (path: string) => Promise<string>, steady: number) {
    this.#sha256 = sha256;
    this.#steady = steady;
  }

  /** sha256 of a file that is news; throws a PipeError, which refuses the source, where it is not, or not yet. */
  async digest(path: string): Promise<string> {
    const print = await this.#look(path);
    if (print === undefined) throw this.#notNow(path, "is still being written.");
    if (this.#taken.get(path) === print) throw this.#notNow(path, "was there before.");
    const digest = await this.#sha256(path);
    if ((await printOf(path)).print !== print) throw this.#notNow(path, "is being written to.");
    return digest;
  }

  /** Whether what a round found is to be worked on; it is so once. */
  async isNew({ item: { source } }: Planned): Promise<boolean> {
    if (this.#passed.delete(source.path)) return false;
    const print = await this.#look(source.path);
    if (print === undefined || this.#taken.get(source.path) === print) return false;
    this.#taken.set(source.path, print);
    return true;
  }

  #notNow(path: string, why: string): PipeError {
    this.#passed.add(path);
    return new PipeError(why);
  }

  /** The file's size and time, if they have been so for long enough. */
  async #look(path: string): Promise<string | undefined> {
    const { print, changed } = await printOf(path);
    const now = Date.now();
    const known = this.#looks.get(path);
    // What is seen for the first time may have lain there for long; what has changed since is only as old as that.
    const since = known === undefined ? Math.min(changed, now) : known.print === print ? known.since : now;
    this.#looks.set(path, { print, since });
    return now - since >= this.#steady ? print : undefined;
  }
}

async function printOf(path: string): Promise<{ print: string; changed: number }> {
  const stats = await stat(path).catch(() => undefined);
  return stats ? { print: `${stats.size}:${stats.mtimeMs}`, changed: stats.mtimeMs } : { print: "gone", changed: 0 };
}
