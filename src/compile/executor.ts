import type { Value } from "./types.ts";

/** What an engine offers: feeds in, outputs out. Checked feeds only. */
export interface Executor {
  run(feeds: Record<string, Value>): Promise<Record<string, Value>>;
  dispose(): Promise<void>;
}
