import type { Evidence } from "./ending.ts";
import type { DecodedFrame, Probe } from "./types.ts";

/** Places in the shared Int32Array. */
export const STOP = 0;
/** Bytes of pixels that were sent and not yet taken. */
export const IN_FLIGHT = 1;
/** Counts whatever moved. */
export const PROGRESS = 2;

export interface Job {
  readonly task: "decode" | "probe";
  /** For messages only; what is read is `fd`. */
  readonly path: string;
  readonly fd: number;
  readonly maxPixels: number;
  readonly fps?: number | undefined;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly threads: number;
  /** Bytes of pixels that may be under way. */
  readonly budget: number;
  /** Of this job alone, so that what another left in it cannot matter. */
  readonly shared: SharedArrayBuffer;
}

export type Outcome = Omit<Evidence, "missingBytes">;

export type ToWorker =
  | { readonly kind: "job"; readonly job: Job }
  /** Pixels that nobody reads any more: room for another frame. */
  | { readonly kind: "room"; readonly buffer: ArrayBuffer }
  | { readonly kind: "leave" };

/** Every job is answered by frames, if any, and one message of another kind, after which nothing of it is open. */
export type FromWorker =
  | { readonly kind: "frame"; readonly frame: DecodedFrame }
  | { readonly kind: "probe"; readonly probe: Probe }
  | { readonly kind: "end"; readonly outcome: Outcome }
  | { readonly kind: "refused"; readonly message: string; readonly hint: string | undefined }
  | { readonly kind: "bug"; readonly message: string };
