import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * Who executes a compiled function.
 * - `onnx`: ONNX Runtime in a worker thread, from the traced graph
 * - `tensorflow`: eager TF.js on @tensorflow/tfjs-node-gpu, where that is installed and works
 * - `js`: eager TF.js on the pure JavaScript backend (slow; the reference)
 * - `auto`: the first of these that works here, and the reason is kept
 */
export const ENGINES = ["auto", "onnx", "tensorflow", "js"] as const;
export type Engine = (typeof ENGINES)[number];

/** ONNX Runtime execution provider. */
export const PROVIDERS = ["cpu", "webgpu", "cuda", "coreml"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** A dense array with its shape; the dtype is that of the typed array. Uint8Array enters a function as an int32 tensor 0..255. */
export interface Value {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** Model code: plain tfjs-core ops, no data-dependent control flow, no randomness. Outputs have names. */
export type Program = (inputs: Record<string, Tensor>) => Record<string, Tensor>;

export interface CompileOptions {
  /** Named in every error and in the exported graph. */
  readonly name: string;
  readonly engine?: Engine;
  readonly provider?: Provider;
  /** Intra-op threads; default: the machine's cores. */
  readonly threads?: number;
}

/** A function that runs elsewhere: traced once per set of input shapes, kept until disposed. */
export interface Compiled extends AsyncDisposable {
  readonly name: string;
  /** What executes it, and why that one was taken. */
  readonly engine: { readonly name: Exclude<Engine, "auto">; readonly provider: Provider | null; readonly why: string };
  /**
   * Runs it. Feeds are not changed; their buffers are copied, not transferred, so callers may reuse them.
   * Rejects with a PipeError that names the function on a missing feed, wrong shape, or an op without a kernel.
   */
  run(feeds: Record<string, Value>): Promise<Record<string, Value>>;
  /**
   * The graph for these shapes as a self-contained `.onnx` file, which carries `metadata`, free text by name. A name
   * instead of a length, the same as the first axis of every input, leaves that axis open.
   */
  toOnnx(
    inputs: Record<string, { shape: readonly (number | string)[]; dtype: "float32" | "int32" | "uint8" }>,
    metadata?: Readonly<Record<string, string>>,
  ): Uint8Array;
  dispose(): Promise<void>;
}

/** A ready `.onnx` file opened for running: the user's own models. */
export interface OnnxModel extends AsyncDisposable {
  readonly name: string;
  /** sha256 of the file; where its weights are in other files, of its own sha256 and theirs. */
  readonly digest: string;
  readonly inputs: readonly { name: string; shape: readonly (number | string)[]; dtype: string }[];
  readonly outputs: readonly { name: string; shape: readonly (number | string)[]; dtype: string }[];
  /** What the file says of itself in its `metadata_props`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** All outputs, or those that are named; others are then not computed, and may be of any type. */
  run(feeds: Record<string, Value>, outputs?: readonly string[]): Promise<Record<string, Value>>;
  dispose(): Promise<void>;
}
