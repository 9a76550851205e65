import type { z } from "zod";
import type { Json } from "../digest.ts";
import type { Ledger } from "../ledger.ts";
import type { AnyRecord, Artifact, FoldsAsked, Kind, Records, Refused, Source, Verdict } from "../records.ts";

/** What a stage may know and say while it works on one task. */
export interface Context {
  /** Aborts when the run is stopped or a neighbour failed. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the run is asked to end soon. A stage whose work can be gone on with later saves what it has and throws
   * this signal's reason; the others finish what they have begun.
   */
  readonly drain: AbortSignal;
  /** The input of this task. */
  readonly source: Source;
  /** The key of this stage's step for this source: equal keys mean equal bytes. */
  readonly key: string;
  /** What `key` was made from, step by step, so that a difference can be named. */
  readonly keyParts: Json;
  readonly ledger: Ledger;
  /** Says how decoding ended. `detail` is a sentence for the report when it did not end well. */
  verdict(verdict: Verdict, detail?: string): void;
  /** What was said by `verdict` so far; null before. */
  readonly ending: { readonly verdict: Verdict; readonly detail?: string } | null;
  /** The next stage gives back the memory of what this one yields (`givesBack`), and nobody else reads it. Default: no. */
  readonly getsBack?: boolean;
  /** Facts for the report, the summary and the shards' metadata, e.g. `facts.weights = "untrained (seed 1)"`. */
  readonly facts: Record<string, Json>;
  /** A line for the log (stderr). */
  note(message: string): void;
  /**
   * Something that a user of the results must know about this source, e.g. that its video is interlaced: logged like a
   * note, and kept once in `facts.warnings`, so that the report and the published result have it, also when cached.
   */
  warn(message: string): void;
  /** How far a long piece of work is, 0..1, and in words: shown until the next call replaces it. */
  standing(share: number, words: string): void;
  /**
   * Something costly shared by all tasks of a run (a compiled model, a session): the first caller opens it,
   * the runner closes it when the run ends, in whatever way.
   */
  shared<T extends AsyncDisposable>(name: string, open: () => T | Promise<T>): Promise<T>;
}

type In<K extends Kind | "none"> = K extends Kind ? Records[K] : never;

export interface StageDefinition<
  Takes extends Kind | "none" = Kind | "none",
  Gives extends Kind = Kind,
  Schema extends z.ZodType = z.ZodType,
> {
  /** Kebab-case, a verb first: `crop-faces`. The file has the same name. */
  readonly name: string;
  /** One line for `pipe list`. */
  readonly summary: string;
  /** Raise it when the same input and options give other bytes than before: it is part of the key. */
  readonly version: number;
  /** The record kind(s) it reads; "none" for a source. */
  readonly takes: Takes | readonly Takes[];
  readonly gives: Gives;
  /** A `z.strictObject`; each member has a `.describe()` in a user's words. */
  readonly options: Schema;
  /** Options that cannot change the output (paths, batch sizes, threads, engines): left out of the key. */
  readonly runtime?: readonly (keyof z.output<Schema> & string)[];
  /**
   * sha256 of every model file that shapes the output, by name: part of the key. Asked once, before any work: what it
   * throws ends the run. `asked`: the folds of the sources to come, where they are of folds.
   */
  readonly models?: (options: z.output<Schema>, asked?: FoldsAsked) => Promise<Record<string, string>>;
  /** The same where the source decides which model it is, as the fold of a clip does: part of that source's key alone. */
  readonly modelsFor?: (options: z.output<Schema>, source: Source) => Promise<Record<string, string>>;
  /**
   * sha256 of files beside a source that shape the output, by what they are: part of that source's key alone, and no part
   * of the recipe. `note`: what lies beside it and belongs to nothing; said once a run, however often it is noted.
   */
  readonly filesFor?: (
    options: z.output<Schema>,
    source: Source,
    tools: { note(message: string): void },
  ) => Promise<Record<string, string>>;
  /**
   * It adds to records what files beside the source say, from nothing but what a sink stores of them, and no later stage
   * but the sink reads it. So it takes stored records as well as fresh ones: see `stored`. `facts`: all that it keeps in
   * `Context.facts`; `warnings`: which of those are the warnings that it gave.
   */
  readonly annotates?: Annotates;
  /** It is the last to read its records' pixels, and gives their memory back (`giveBack`) to who lent it. */
  readonly givesBack?: true;
  /** Sources only: the folds that its sources are of, told from the options alone. */
  readonly folds?: (options: z.output<Schema>) => FoldsAsked;
  /** Sources only: what there is to work on. */
  readonly sources?: (
    options: z.output<Schema>,
    tools: { signal: AbortSignal; digest(path: string): Promise<string>; note(message: string): void },
  ) => AsyncIterable<Source | Refused>;
  /** Sinks only: what is already published and intact for this source and key, so that nothing is computed twice. */
  readonly cached?: (options: z.output<Schema>, task: { source: Source; key: string }) => Promise<Cached | undefined>;
  /**
   * Sinks only: the records of a source as they were stored by the same steps, those that annotate (by name) left out of
   * account, with facts, counts and verdict; undefined where there are none, or not to the last bit. What annotates then
   * works on them, and nothing before it runs.
   */
  readonly stored?: (
    options: z.output<Schema>,
    task: { source: Source; parts: Json; annotates: ReadonlyMap<string, Annotates> },
  ) => Promise<((context: Context) => AsyncGenerator<AnyRecord, void, void>) | undefined>;
  /** Sinks only: key parts of what was published for this source under other keys, newest first, so that `plan` can name what changed. */
  readonly published?: (options: z.output<Schema>, source: Source) => Promise<readonly Json[]>;
  /** When a run is asked to end soon (`drain`) it saves what it has, to continue later. */
  readonly saves?: true;
  /** Sinks only: it keeps one result a source, so that another would take its place: a run asks for `--force` first. */
  readonly keepsOne?: true;
  /**
   * Sinks only: makes what lies over all that was published, such as an index. Called when a run has ended, and after each
   * round of one that keeps watching, with all that it has worked on so far.
   */
  readonly finish?: (options: z.output<Schema>, items: readonly Finished[]) => Promise<void>;
  /** Sinks only: what people can do with what was made, in lines: the page to open, the next command (`next.ts`). */
  readonly next?: (options: z.output<Schema>, made: readonly Made[]) => Promise<readonly string[]> | readonly string[];
  /** Sinks only: the folder that takes report.json. */
  readonly output?: (options: z.output<Schema>) => string;
  /** Options once, data many. Whoever opens, closes: use try/finally around the loop. */
  readonly run: (
    options: z.output<Schema>,
    context: Context,
  ) => (input: AsyncIterable<In<Takes>>) => AsyncGenerator<Records[Gives], void, void>;
}

export interface Annotates {
  readonly facts: readonly string[];
  readonly warnings: string;
}

/** What a sink says of a task that is already done. */
export interface Cached {
  readonly artifact: Artifact;
  readonly counts: Ledger["counts"];
  readonly verdict: Verdict;
  readonly detail?: string;
  readonly facts: Record<string, Json>;
}

/** What became of one source of a run. */
export interface Finished {
  readonly source: { readonly name: string; readonly path: string; readonly digest?: string | undefined };
  readonly status: "done" | "cached" | "failed" | "partial" | "stopped";
  readonly reason?: string | undefined;
}

/** What was made of one source of a run, or was there already: never empty. */
export interface Made {
  /** Paths of what was published. */
  readonly artifacts: readonly string[];
  readonly facts: Readonly<Record<string, Json>>;
}

/** A stage with its options given and checked. */
export interface BoundStage<Takes extends Kind | "none" = Kind | "none", Gives extends Kind = Kind> {
  readonly stage: StageDefinition<Takes, Gives>;
  readonly options: Json;
  readonly run: (context: Context) => (input: AsyncIterable<In<Takes>>) => AsyncGenerator<Records[Gives], void, void>;
}

/** Calling a stage with options binds it; its definition's fields are on it too. */
export type Stage<
  Takes extends Kind | "none" = Kind | "none",
  Gives extends Kind = Kind,
  Schema extends z.ZodType = z.ZodType,
> = StageDefinition<Takes, Gives, Schema> & ((options: z.input<Schema>) => BoundStage<Takes, Gives>);

/** Any stage, as the runner sees it: it knows stages by their contract alone. */
// biome-ignore lint/suspicious/noExplicitAny: a table of stages of all kinds; each one's own types are checked where it is defined
export type AnyStage = StageDefinition<any, any, z.ZodType<any>>;
/** Stages by name: what a pipelines file may use. */
export type Stages = Readonly<Record<string, AnyStage>>;

/**
 * Makes a stage from its definition. The options are parsed when the stage is called: an unknown or wrong option
 * throws a ZodError there, before any data flows.
 */
export function defineStage<Takes extends Kind | "none", Gives extends Kind, Schema extends z.ZodType>(
  definition: StageDefinition<Takes, Gives, Schema>,
): Stage<Takes, Gives, Schema> {
  const bind = (input: z.input<Schema>): BoundStage<Takes, Gives> => {
    const options = definition.options.parse(input);
    return {
      stage: definition as unknown as StageDefinition<Takes, Gives>,
      options: options as Json,
      run: (context) => definition.run(options, context),
    };
  };
  // A function's own `name` is read-only, so it is defined rather than assigned.
  return Object.defineProperties(bind, Object.getOwnPropertyDescriptors(definition)) as unknown as Stage<
    Takes,
    Gives,
    Schema
  >;
}
