import { join, relative } from "node:path";
import type { CompileOptions } from "../../compile/index.ts";
import type { Json } from "../../digest.ts";
import { type FitOptions, weightsOf } from "../../nn/fit.ts";
import type { Weights } from "../../nn/weights.ts";
import type { Rung } from "./curriculum.ts";
import { type SequenceScore, withFreshAttention } from "./sequence.ts";
import type { SequenceInput } from "./sequence-input.ts";
import { openSequencePredictor } from "./sequence-predict.ts";
import type { Stage2Settings } from "./stage2.ts";
import { type SequenceTest, type TestWindowsOptions, testWindows } from "./test-windows.ts";
import { trainSequence } from "./train-sequence.ts";
import { inTime, type LabelScale, outOfTime, type WindowReader } from "./window-batches.ts";
import type { WindowParts } from "./window-parts.ts";

export interface TrainRungOptions
  extends Partial<Stage2Settings>,
    Pick<CompileOptions, "engine" | "provider" | "threads">,
    Pick<FitOptions, "folder" | "seed" | "signal" | "progress">,
    Pick<TestWindowsOptions, "range"> {
  /** Of the rung's length. */
  readonly windows: WindowParts;
  readonly input: SequenceInput;
  readonly attention: SequenceScore;
  readonly reader: WindowReader;
  readonly labels: LabelScale;
  /** Folder of the training that it starts from, and where in it the last weights are; null for fresh weights. */
  readonly from: { readonly folder: string; readonly last: string } | null;
  /** What else decides the result. */
  readonly data: Json;
  readonly validateEvery: number;
  readonly patience?: number;
  /** Hears that the test begins. */
  readonly testing?: () => void;
}

export interface TrainedRung {
  /** The best on the validation people. */
  readonly weights: Weights;
  readonly test: SequenceTest;
  /** Where the last weights are, below the folder. */
  readonly last: string;
  readonly facts: Readonly<Record<string, Json>>;
}

/**
 * One training of a curriculum, and its test: the test people are looked at only once the best checkpoint is chosen.
 * A training starts from all the last weights of the one before it, not the best ones, as the authors' do.
 */
export async function trainRung(rung: Rung, options: TrainRungOptions): Promise<TrainedRung> {
  const { windows, input, attention, reader, labels, folder, from, data, seed, range, testing } = options;
  const { signal, progress, validateEvery, frames, learningRate, schedule, patience } = options;
  const { engine, provider, threads } = options;
  const device = { ...(engine && { engine }), ...(provider && { provider }), ...(threads && { threads }) };
  const order = rung.shuffled ? outOfTime(seed) : inTime;
  const network = { variant: rung.variant, attention, input };
  const result = await trainSequence({
    name: rung.name,
    folder,
    ...network,
    n: rung.n,
    iterations: rung.steps,
    seed,
    training: windows.training,
    validation: windows.validation,
    reader,
    scale: labels,
    order,
    ...(from && { start: await startFrom(from, rung, options) }),
    data,
    ...(frames && { frames }),
    ...(learningRate && { learningRate }),
    ...(schedule && { schedule }),
    validateEvery: Math.min(validateEvery, rung.steps),
    ...(patience && { patience }),
    ...device,
    ...(signal && { signal }),
    ...(progress && { progress }),
  });
  const { best, last } = result;
  testing?.();
  const weights = await weightsOf(best?.path ?? last, "combiner");
  await using predictor = openSequencePredictor({
    network,
    weights,
    source: `the training ${rung.name}`,
    reader,
    batch: Math.max(1, Math.min(windows.test.length, Math.floor(FRAMES_A_RUN / rung.n))),
    attended: rung.family === "anclaf-sa",
    order,
    ...device,
  });
  return {
    weights,
    test: await testWindows(predictor, windows.test, { range, ...(signal && { signal }) }),
    last: relative(folder, last),
    facts: {
      engine: { ...result.engine },
      iterations: result.iteration,
      best: best && { iteration: best.iteration, validation: { ...best.metrics } },
    },
  };
}

const FRAMES_A_RUN = 1024;

async function startFrom(
  { folder, last }: NonNullable<TrainRungOptions["from"]>,
  { freshAttention }: Rung,
  { input, attention, seed }: TrainRungOptions,
): Promise<Weights> {
  const weights = await weightsOf(join(folder, last), "combiner");
  return freshAttention ? withFreshAttention(weights, input.sizes, { attention, seed }) : weights;
}
