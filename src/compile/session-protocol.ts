import type { Dtype } from "./dtypes.ts";
import type { Provider, Value } from "./types.ts";

export interface SessionSettings {
  readonly provider: Provider;
  readonly threads: number;
}
export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  readonly dtype: string;
}
export interface SessionInfo {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}
export type FeedType = Dtype;
export interface Feed extends Value {
  readonly type: FeedType;
}

/** An entry of the state, or a piece of a vector. */
export interface Piece {
  readonly entry: string;
  /** Where in the entry it begins, and its shape; left out for all of it. */
  readonly at?: number;
  readonly shape?: readonly number[];
}

/** Which inputs a run takes from the state that the thread keeps, which outputs go back there, and what follows. */
export interface StateUse {
  readonly inputs: Readonly<Record<string, Piece>>;
  /** Entries by the outputs that replace them. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly updates: readonly InPlace[];
}

/** An update of entries of the state, done in place after a run. */
export interface InPlace {
  /** A loop's module, as loop.ts describes it. */
  readonly module: Uint8Array;
  readonly needsNorm: boolean;
  /** Entries of the state, in the loop's order: vectors of one length. */
  readonly vectors: readonly string[];
  readonly length: number;
  /** The outputs that are the gradient, piece by piece. */
  readonly gradient: readonly { readonly output: string; readonly at: number; readonly shape: readonly number[] }[];
  /** The outputs that are the loop's scalars. */
  readonly scalars: readonly string[];
  /** Under which name the gradient's norm is told, if it is. */
  readonly norm?: string;
}

export type Request = { readonly id: number } & (
  | {
      readonly kind: "open";
      readonly session: number;
      readonly model: Uint8Array;
      /** Files that it has weights in, by the location that it writes. */
      readonly external?: readonly { readonly location: string; readonly data: Uint8Array }[];
      readonly optimisedPath?: string;
      readonly state?: StateUse;
    }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Record<string, Feed>;
      /** So many runs, one after the other, on slices of the feeds; the results come stacked. */
      readonly steps: number | null;
      /** The outputs that are wanted; left out for all. */
      readonly outputs?: readonly string[];
    }
  | { readonly kind: "write"; readonly values: Record<string, Feed> }
  | { readonly kind: "read"; readonly names: readonly string[] }
  | { readonly kind: "close" }
);
export interface Reply {
  readonly id: number;
  readonly error?: string;
  readonly info?: SessionInfo;
  readonly values?: Record<string, Value>;
}
