import type * as tf from "@tensorflow/tfjs-core";
import { type Compiled, type CompileOptions, compile } from "../../compile/index.ts";
import { disposeParameters, toParameters } from "../../nn/parameters.ts";
import { conform, type Weights } from "../../nn/weights.ts";
import type { Window } from "../../records.ts";
import { type SequenceNetwork, variantParameters, windowAffect } from "./stage2.ts";
import type { StepOrder, WindowReader } from "./window-batches.ts";
import { type PredictedWindow, predictWindows } from "./window-predictions.ts";

export interface SequencePredictorOptions extends Omit<CompileOptions, "name"> {
  readonly network: SequenceNetwork;
  readonly weights: Weights;
  /** What the weights came from, for errors. */
  readonly source: string;
  readonly reader: WindowReader;
  /** Windows in one run. */
  readonly batch: number;
  readonly order?: StepOrder;
  /** Whether to give the weights of attention, too; default no. */
  readonly attended?: boolean;
}

/** A trained sequence model, opened; whoever opens it disposes it. */
export interface SequencePredictor extends AsyncDisposable {
  readonly engine: Compiled["engine"];
  /** What it says of windows of one length, in their order; see {@link predictWindows}. */
  predict(windows: readonly Window[], signal?: AbortSignal): AsyncGenerator<PredictedWindow, void, void>;
}

/** Opens a sequence model. Throws a PipeError that names each tensor when the weights do not fit. */
export function openSequencePredictor(options: SequencePredictorOptions): SequencePredictor {
  const { network, weights, source, reader, batch, order, attended = false, ...given } = options;
  const parameters = toParameters(conform(weights, variantParameters(network), source));
  let compiled: Compiled;
  try {
    compiled = compile(
      ({ values, present }) => {
        const { affect, attention } = windowAffect(network, parameters, values!, present as tf.Tensor2D);
        return { affect, ...(attended && attention && { attention }) };
      },
      { name: `anclaf-${network.variant}`, ...given },
    );
  } catch (error) {
    disposeParameters(parameters);
    throw error;
  }
  return {
    engine: compiled.engine,
    predict: (windows, signal) =>
      predictWindows(windows, {
        reader,
        batch,
        run: (feeds) => compiled.run(feeds),
        ...(order && { order }),
        ...(signal && { signal }),
      }),
    async [Symbol.asyncDispose]() {
      await compiled.dispose();
      disposeParameters(parameters);
    },
  };
}
