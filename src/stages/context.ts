import type { Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { Ledger } from "../ledger.ts";
import type { Source } from "../records.ts";
import type { Context } from "./define.ts";

/**
 * Costly things that several tasks use: opened once by whoever asks first, closed together, the last opened first.
 * A failed opening is forgotten, so that the next caller tries again.
 */
export class SharedPool implements AsyncDisposable {
  readonly #open = new Map<string, Promise<AsyncDisposable>>();
  #closed = false;

  /** How many are open (or opening) now. */
  get size(): number {
    return this.#open.size;
  }

  async get<T extends AsyncDisposable>(name: string, open: () => T | Promise<T>): Promise<T> {
    if (this.#closed) throw new Error(`"${name}" was asked for after the shared resources were closed`);
    const known = this.#open.get(name);
    if (known) return known as Promise<T>;
    const opening = Promise.resolve().then(open);
    this.#open.set(name, opening);
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  /** Closes everything, even if some of it fails to close; then throws the first failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const opened = [...this.#open.values()].reverse();
    this.#open.clear();
    const failures: unknown[] = [];
    for (const opening of opened) {
      const resource = await opening.catch(() => undefined);
      try {
        await resource?.[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** What `Context.warn` does: keeps the message in `facts.warnings` and passes it on, once. */
export function warnIn(facts: Record<string, Json>, message: string, note: (message: string) => void): void {
  const known = (facts.warnings ?? []) as readonly string[];
  if (known.includes(message)) return;
  facts.warnings = [...known, message];
  note(message);
}

/** A context for stages used outside the runner. Dispose it to close what its stages share. */
export interface LooseContext extends Context, AsyncDisposable {}

/**
 * A context for `toStream` outside the runner: its own ledger, no key unless given, notes on stderr. Give the same one
 * to all stages of one pipeline, with the `source` that the first of them reads.
 */
export function looseContext(
  options: {
    source?: Source;
    /** What a sink stores its result under: the sha256 of all that shapes it, and what that was made from. */
    key?: string;
    keyParts?: Json;
    signal?: AbortSignal;
    drain?: AbortSignal;
    note?: (message: string) => void;
  } = {},
): LooseContext {
  const pool = new SharedPool();
  let ending: Context["ending"] = null;
  const facts: Context["facts"] = {};
  const note = options.note ?? ((message: string) => process.stderr.write(`${message}\n`));
  return {
    signal: options.signal ?? new AbortController().signal,
    drain: options.drain ?? new AbortController().signal,
    get source(): Source {
      if (options.source) return options.source;
      throw new PipeError("This stage reads a source, and the context names none.", {
        hint: "Give one: toStream(stage, looseContext({ source })).",
      });
    },
    key: options.key ?? "",
    keyParts: options.keyParts ?? {},
    ledger: new Ledger(),
    verdict(verdict, detail) {
      ending = detail === undefined ? { verdict } : { verdict, detail };
    },
    get ending() {
      return ending;
    },
    facts,
    note,
    warn: (message) => warnIn(facts, message, note),
    standing() {},
    shared: (name, open) => pool.get(name, open),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
