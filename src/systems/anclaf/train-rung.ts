import { relative } from "node:path";
import type { CompileOptions } from "../../compile/index.ts";
import type { Json } from "../../digest.ts";
import { readCheckpoint } from "../../nn/checkpoint.ts";
import { type FitOptions, weightsOf } from "../../nn/fit.ts";
import { initialise } from "../../nn/init.ts";
import { conform, type ParameterSpec, type Weights } from "../../nn/weights.ts";
import { combinerEncoderParameters } from "./combiner.ts";
import type { Rung } from "./curriculum.ts";
import { type SequenceScore, withFreshAttention } from "./sequence.ts";
import type { SequenceInput } from "./sequence-input.ts";
import { openSequencePredictor } from "./sequence-predict.ts";
import { type SequenceNetwork, type Stage2Settings, stage2Settings, variantParameters } from "./stage2.ts";
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
  /** Files of the training that it starts from: its last checkpoint, and its best weights; null for fresh weights. */
  readonly from: { readonly last: string; readonly best: string } | null;
  /** A checkpoint with the frame combiner whose encoder fresh weights begin with; null where they begin with none. */
  readonly frame: string | null;
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

/** One training of a curriculum, and its test: the test people are looked at only once the best checkpoint is chosen. */
export async function trainRung(rung: Rung, options: TrainRungOptions): Promise<TrainedRung> {
  const { windows, input, attention, reader, labels, folder, data, seed, range, testing } = options;
  const { signal, progress, validateEvery, patience } = options;
  const { engine, provider, threads } = options;
  const device = { ...(engine && { engine }), ...(provider && { provider }), ...(threads && { threads }) };
  const order = rung.shuffled ? outOfTime(seed) : inTime;
  const network = { variant: rung.variant, attention, input };
  const settings = stage2Settings(input.preset, options);
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
    ...(await startOf(rung, network, options)),
    data,
    ...settings,
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

/** What a training begins with, where that is not drawn by its seed alone. */
async function startOf(
  rung: Rung,
  network: SequenceNetwork,
  options: TrainRungOptions,
): Promise<{ readonly start?: Weights }> {
  const { from, frame, input, attention, seed } = options;
  const { handOver, encoder } = stage2Settings(input.preset, options);
  if (from) {
    const weights = handOver === "last" ? await weightsOf(from.last, "combiner") : await published(from.best);
    return { start: rung.freshAttention ? withFreshAttention(weights, input.sizes, { attention, seed }) : weights };
  }
  if (input.kind === "features" || encoder === "fresh" || frame === null) return {};
  const fresh = initialise(variantParameters(network), seed);
  const own = combinerEncoderParameters(input.sizes, input.form);
  const taken = conform(pick(await published(frame), own), own, frame);
  return { start: new Map([...fresh, ...taken]) };
}

const published = async (file: string): Promise<Weights> => (await readCheckpoint(file)).weights;

/** Those of a file's tensors, which may have other networks' beside them. */
function pick(weights: Weights, specs: readonly ParameterSpec[]): Weights {
  const names = new Set(specs.map(({ name }) => name));
  return new Map([...weights].filter(([name]) => names.has(name)));
}
