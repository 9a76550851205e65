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

export type Request = { readonly id: number } & (
  | {
      readonly kind: "open";
      readonly session: number;
      readonly model: Uint8Array;
      readonly optimisedPath?: string;
    }
  | { readonly kind: "run"; readonly session: number; readonly feeds: Record<string, Feed> }
  | { readonly kind: "close" }
);
export interface Reply {
  readonly id: number;
  readonly error?: string;
  readonly info?: SessionInfo;
  readonly values?: Record<string, Value>;
}
