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
export type FeedType = "float32" | "int32" | "uint8" | "bool";
export interface Feed extends Value {
  readonly type: FeedType;
}

/** Which inputs a run takes from the state that the thread keeps, and which outputs go back there; entries by name. */
export interface StateUse {
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

export type Request = { readonly id: number } & (
  | {
      readonly kind: "open";
      readonly session: number;
      readonly model: Uint8Array;
      readonly optimisedPath?: string;
    }
  | { readonly kind: "run"; readonly session: number; readonly feeds: Record<string, Feed>; readonly state?: StateUse }
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
