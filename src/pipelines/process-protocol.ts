import type { Task } from "./plan.ts";
import type { Seen } from "./state.ts";
import type { Outcome } from "./task.ts";

/** What a run says to a process that does tasks for it: one task at a time. */
export type ToTaskProcess =
  | { readonly kind: "do"; readonly task: Task }
  | { readonly kind: "drain" | "stop" }
  /** No more tasks will come. */
  | { readonly kind: "end" };

/** What the process says of the task that it has. */
export type FromTaskProcess =
  | { readonly kind: "note"; readonly message: string }
  | { readonly kind: "standing"; readonly share: number; readonly words: string }
  | { readonly kind: "seen"; readonly seen: Seen }
  | { readonly kind: "ended"; readonly outcome: Outcome };
