import type { Tensor } from "@tensorflow/tfjs-core";
import type { Compiled, CompileOptions, Value } from "./types.ts";
import type { Update } from "./update.ts";

/**
 * One step of something that remembers: plain tfjs-core ops of its inputs and of the state, gradients included (tf.grad,
 * tf.valueAndGrads, differentiate). It gives its outputs and those entries of the state that it changes, each with the
 * shape and dtype that it had; no data-dependent control flow, no randomness.
 */
export type StepProgram = (
  inputs: Record<string, Tensor>,
  state: Readonly<Record<string, Tensor>>,
) => {
  outputs: Record<string, Tensor>;
  state: Record<string, Tensor>;
  /** Changes of further entries that follow from a gradient: an engine may make them in place, in one pass. */
  updates?: readonly Update[];
};

export interface StepsOptions extends CompileOptions {
  /** What the state starts as, float32 or int32. Copied. */
  readonly state: Record<string, Value>;
}

export interface StepRunOptions {
  /**
   * So many steps in one call: every feed has one more leading axis of this length and so has every output. The steps
   * see one another's state and give the same bytes as in as many calls. Default: one step, without the axis.
   */
  readonly steps?: number;
}

/** Programs that share a state, which lives with whoever executes them and crosses no thread between runs. */
export interface Steps<Name extends string> extends AsyncDisposable {
  readonly name: string;
  readonly engine: Compiled["engine"];
  /**
   * Runs one program and keeps the state that it gives; a step that fails changes nothing, and of several in one call
   * those before it stay. Runs, reads and writes take effect in the order of the calls, and feeds may be reused as soon
   * as the call returned. Traced once for each set of feed shapes. Rejects with a PipeError that names the program.
   */
  run(program: Name, feeds: Record<string, Value>, options?: StepRunOptions): Promise<Record<string, Value>>;
  /** Copies of entries of the state, all unless named: bit for bit what the next run will see. */
  read(names?: readonly string[]): Promise<Record<string, Value>>;
  /** Replaces entries of the state by values of the same shape and dtype; the others stay. Copied. */
  write(state: Record<string, Value>): Promise<void>;
  dispose(): Promise<void>;
}

/** What an engine offers for steps: checked requests only, taken in order. */
export interface StepExecutor {
  run(program: string, feeds: Record<string, Value>, steps: number | null): Promise<Record<string, Value>>;
  read(names: readonly string[]): Promise<Record<string, Value>>;
  write(state: Record<string, Value>): Promise<void>;
  dispose(): Promise<void>;
}
