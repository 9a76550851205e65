import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { Compiled, CompileOptions, Value } from "../../compile/index.ts";
import type { Json } from "../../digest.ts";
import type { Optimiser } from "../optimisers.ts";
import type { Parameters } from "../parameters.ts";
import type { ParameterSpec, Weights } from "../weights.ts";

/**
 * One kind of update: named losses, the parts that they train, and how. The gradient of Σ weight · loss with respect to
 * every trained part is taken in one backward pass; each part is then updated as one flat vector.
 */
export interface Phase {
  readonly name: string;
  /** Parts that this phase updates. All other parts are constants to it. */
  readonly trains: readonly string[];
  /**
   * Runs in the iterations that this number divides (they count from 1). Default 1. With n_critic = 5 the discriminator
   * has 1, generator and combiner have 5.
   */
  readonly every?: number;
  /** Its state is kept for each part, apart from that of other phases. A `clipNorm` is that of one part's gradient. */
  readonly optimiser: Optimiser;
  /**
   * Named, unweighted losses: scalars, in plain TF.js ops. `parts` has the parameters of every part, trained or not;
   * `inputs` what `batch` gave. No randomness: noise and masks are inputs. `remember` is for what follows the batches
   * without a gradient, such as a batch norm's running statistics; fit always gives it.
   */
  losses(
    parts: Readonly<Record<string, Parameters>>,
    inputs: Readonly<Record<string, Tensor>>,
    remember?: Remember,
  ): Record<string, Scalar>;
  /** A weight for each loss, and for no other. A loss of weight 0 is logged and trains nothing. */
  readonly weights: Readonly<Record<string, number>>;
}

/**
 * Gives a parameter its value after the iteration, from that before; several calls follow one another. The parameter
 * must be of a part that the phase does not train. Checkpoints have it, and a resumed run goes on from it.
 */
export type Remember = (name: string, update: (before: Tensor) => Tensor) => void;

/** What one phase of one iteration is trained on. */
export interface Batch {
  /** Named arrays, the same names and shapes for every iteration of a phase (another shape means another graph). */
  readonly feeds: Record<string, Value>;
  /** Which samples these are, for the message when a loss is not finite. Their count is the batch's size. */
  readonly ids?: readonly (string | number)[];
}

/** The model while it is trained, to be looked at by a validation. It may be used until the validation ends. */
export interface LiveModel {
  /** Iterations done. */
  readonly iteration: number;
  /** Fires when the fit is to stop; a long validation should then throw. */
  readonly signal: AbortSignal;
  /** Copies of the weights of every part. */
  weights(): Promise<Record<string, Weights>>;
  /** Runs one of {@link FitOptions.programs} with the weights as they are. */
  run(program: string, feeds: Record<string, Value>): Promise<Record<string, Value>>;
}

/** Validation on an inner split: never the test fold. */
export interface Validation {
  /** Iterations between two validations. */
  readonly every: number;
  /** Metrics by name. A pure function of the model, since a resumed run repeats what was lost. */
  measure(model: LiveModel): Promise<Record<string, number>>;
  /** The metric that says which checkpoint is best. */
  readonly metric: string;
  readonly better: "higher" | "lower";
  /** Validations without a better one after which training stops. Default: never. */
  readonly patience?: number;
  /** What a metric must gain to count as better. Default 0: any gain. */
  readonly minDelta?: number;
}

export interface FitOptions extends Pick<CompileOptions, "engine" | "provider" | "threads"> {
  /** Named in every error and in the checkpoints. */
  readonly name: string;
  /** The network's parts and their parameters; a parameter's name is unique over all parts. */
  readonly parts: Readonly<Record<string, readonly ParameterSpec[]>>;
  /** Weights that parts start from; those of other parts are drawn by `seed`, as `initialise` does. */
  readonly start?: Readonly<Record<string, Weights>>;
  /** In the order in which they run within one iteration. */
  readonly phases: readonly Phase[];
  /** Forward programs over the live weights, for validation: no copy of the weights, no new graph each time. */
  readonly programs?: Readonly<
    Record<
      string,
      (parts: Readonly<Record<string, Parameters>>, inputs: Readonly<Record<string, Tensor>>) => Record<string, Tensor>
    >
  >;
  /**
   * The batch of a phase in an iteration (from 1). A pure function of its arguments and the caller's seed: batches are
   * asked for ahead of time, and a resumed run asks again. `signal` fires when the batch is no longer needed.
   */
  batch(iteration: number, phase: string, signal: AbortSignal): Promise<Batch>;
  /** Iterations in all. A finished run may be called again with more. */
  readonly iterations: number;
  readonly seed: number;
  /** Gets `checkpoints/`, `log.jsonl` and `timing.jsonl`. One fit at a time; see {@link fit}. */
  readonly folder: string;
  /** What else decides the result: data, fold, model and optimiser options. A resume with another one is refused. */
  readonly config?: Json;
  /** Iterations between two checkpoints. One is also written after each validation and at the end. Default 1000. */
  readonly checkpointEvery?: number;
  /** Checkpoints kept, the newest ones, besides the best. Default 2. */
  readonly keep?: number;
  /** Iterations between two lines of the log. Default 10. */
  readonly logEvery?: number;
  readonly validation?: Validation;
  /**
   * Consecutive iterations of one phase that are handed to the thread that computes in one piece: less waiting between
   * small steps. The results are the same bytes. Default 1.
   */
  readonly stepsPerRun?: number;
  /** Batches made ahead of the step that runs. Default: two runs' worth. */
  readonly batchesAhead?: number;
  /** Aborted: the iteration under way is finished, a checkpoint is written, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  readonly progress?: (event: FitEvent) => void;
}

export interface FitResult {
  /** Iterations done: all, or those until patience ended. */
  readonly iteration: number;
  readonly stopped: "iterations" | "patience";
  /** The last weights of each part. */
  readonly weights: Record<string, Weights>;
  /** Path of the last checkpoint. */
  readonly last: string;
  readonly best: Best | null;
  /** Iteration of the checkpoint that this call went on from. */
  readonly resumedFrom: number | null;
  readonly engine: Compiled["engine"];
}

export interface Best {
  readonly iteration: number;
  /** Path of its checkpoint. */
  readonly path: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a display can show. Plain data; numbers are means since the last line of the log, times are seconds. */
export type FitEvent =
  | {
      readonly event: "begin";
      readonly name: string;
      readonly iterations: number;
      readonly resumedFrom: number | null;
      readonly engine: Compiled["engine"];
    }
  | ({ readonly event: "step" } & FitStanding)
  | {
      readonly event: "validation";
      readonly name: string;
      readonly iteration: number;
      readonly metrics: Readonly<Record<string, number>>;
      readonly better: boolean;
    }
  | { readonly event: "checkpoint"; readonly name: string; readonly iteration: number; readonly path: string }
  | { readonly event: "warning"; readonly name: string; readonly iteration: number; readonly message: string }
  | {
      readonly event: "end";
      readonly name: string;
      readonly iteration: number;
      readonly stopped: "iterations" | "patience" | "aborted" | "failed";
    };

export interface FitStanding {
  readonly name: string;
  readonly iteration: number;
  readonly iterations: number;
  /** By `phase/loss`; `phase/total` is Σ weight · loss. */
  readonly losses: Readonly<Record<string, number>>;
  readonly samplesPerSecond: number;
  /** Share of the time that the loop waited for batches, 0..1. */
  readonly dataWait: number;
  /** At the speed so far; null before the first step. */
  readonly secondsLeft: number | null;
}
