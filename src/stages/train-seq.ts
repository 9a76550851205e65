import { mkdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { WindowReader } from "../cache/window-reader.ts";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import type { LabelRange } from "../datasets/types.ts";
import type { WindowLabels } from "../datasets/window-labels.ts";
import { digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { TrainingResult } from "../report/training-result.ts";
import { PAPER_LENGTHS, type Rung, rungsOf, SEQUENCE_MODELS } from "../systems/anclaf/curriculum.ts";
import { ENCODER_STARTS, SEQUENCE_ATTENTIONS } from "../systems/anclaf/presets.ts";
import type { TrainedRung } from "../systems/anclaf/train-rung.ts";
import type { WindowParts, WindowSet } from "../systems/anclaf/window-parts.ts";
import { type Context, defineStage } from "./define.ts";
import type { FrameModel } from "./frame-model.ts";

const length = z.int().min(2);
const schema = z.strictObject({
  output: z.string().min(1).default("data/runs/train-seq").describe("folder that gets one folder a fold"),
  model: z
    .enum(SEQUENCE_MODELS)
    .default("anclaf-sa")
    .describe("a memory alone, or one that also attends to its former states; both begin with the memory"),
  n: length.default(8).describe("frames in a window"),
  curriculum: z
    .array(length)
    .default([...PAPER_LENGTHS])
    .describe("lengths that are trained on the way to n, each from the weights of the one before; none: [n]"),
  attention: z
    .enum(SEQUENCE_ATTENTIONS)
    .exclude(["none"])
    .default("location")
    .describe(
      "how anclaf-sa scores its former states: by themselves, as published, or beside the present one (Luong's)",
    ),
  everyLength: z
    .boolean()
    .default(false)
    .describe("train anclaf-sa at each length of the way, as the papers' tables have it, not at n alone"),
  controls: z
    .boolean()
    .default(false)
    .describe(
      "train what would explain a gain without attention: even weights, more steps, shuffled frames, no memory",
    ),
  steps: z
    .int()
    .positive()
    .optional()
    .describe(
      "iterations of each training on the way; default: 300 on features, 100 on latents, where each costs far more",
    ),
  seed: z.int().nonnegative().default(1).describe("decides weights and order"),
  batchFrames: z
    .int()
    .positive()
    .optional()
    .describe(
      "frames in a batch, which has as many windows as they fill; default: 4000 as published, 512 for preset small",
    ),
  learningRate: z.number().positive().optional().describe("Adam's rate; default: the preset's"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      "share of the features that a window is trained without; default: none as published, 0.5 for preset small",
    ),
  handOver: z
    .enum(["last", "best"])
    .optional()
    .describe(
      "weights that a training begins with, of the one before; default: last as published, best for preset small",
    ),
  encoder: z
    .enum(ENCODER_STARTS)
    .optional()
    .describe("on latents: fresh weights as published, or the frame model's, the default for preset small"),
  models: z
    .string()
    .min(1)
    .default("data/runs/train-anclaf")
    .describe("for clips of a fold: what train-anclaf wrote, of which each fold takes its own frame model"),
  checkpoint: z
    .string()
    .optional()
    .describe("for other latents: the frame model that made them; default: that of the package"),
  validateEvery: z.int().positive().default(50).describe("iterations between two looks at the validation people"),
  patience: z.int().positive().optional().describe("stop after so many looks without a better one; default: never"),
  engine: z.enum(ENGINES).default("auto").describe("what executes the training steps"),
  provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
  threads: z.int().positive().optional().describe("threads of the training steps; default: the machine's cores"),
});
type Options = z.output<typeof schema>;

const VERSION = 2;

/** Fresh memories need more; on latents they begin behind a trained encoder, which is trained on with them. */
const STEPS = { features: 300, latents: 100 } as const;

/**
 * ANCLaF's second stage on one fold: C-S and C-SA learn from windows of frozen latents, length after length. On latents ZQ
 * the whole combiner is trained, on kept features the part behind its encoder.
 *
 * A fold's folder gets one folder for each training on the way (see `rungsOf`) with `checkpoints/`, `log.jsonl` and
 * `timing.jsonl` from the training loop, `model.safetensors` (the best weights), `predictions.csv` (every face of the test
 * people), `attention.csv` where it attends, and last of all `result.json`. Interrupted or killed, the same command goes on
 * from the last checkpoint of the training that it was in, and ends with the same bytes; a longer way (a larger n) takes
 * what is finished.
 */
export default defineStage({
  name: "train-seq",
  summary: "window* → artifact: ANCLaF-S and -SA trained length after length, tested on people they never saw",
  version: VERSION,
  takes: "window",
  gives: "artifact",
  options: schema,
  // Models count by their bytes, not by their paths.
  runtime: ["output", "models", "checkpoint", "engine", "provider", "threads"],
  output: ({ output }) => output,
  async cached({ output }, { key }) {
    const { resultsIn } = await import("../report/training-result.ts");
    const { Ledger } = await import("../ledger.ts");
    const found = (await resultsIn(resolve(output))).find(({ result }) => result.key === key);
    if (!found) return undefined;
    const { folder, result } = found;
    const trainings = await resultsIn(folder);
    return {
      artifact: { kind: "artifact", path: folder, bytes: await bytesOf(trainings) },
      counts: new Ledger().counts,
      verdict: "complete",
      facts: { ...result.facts },
    };
  },
  async published({ output }, { name }) {
    const { resultsIn } = await import("../report/training-result.ts");
    const all = await resultsIn(resolve(output));
    return all.filter(({ result }) => result.source.name === name).map(({ result }) => result.keyParts);
  },
  run: (options, context) =>
    async function* (windows) {
      const { gatherWindows } = await import("../systems/anclaf/window-parts.ts");
      const { sequenceInput } = await import("../systems/anclaf/sequence-input.ts");
      const { model, n, curriculum, everyLength, controls, steps } = options;
      const way = (steps: number) => rungsOf({ model, n, lengths: curriculum, everyLength, controls, steps });
      const set = await gatherWindows(windows, [...new Set(way(1).map((rung) => rung.n))]);
      const rungs = way(steps ?? STEPS[sequenceInput(set.shape).kind]);
      const folder = join(resolve(options.output), `fold-${set.fold.fold}`);
      await mkdir(folder, { recursive: true });
      const finished = await trainFold({ folder, set, options, context }, rungs);
      await publishFold(folder, set, finished, context);
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes: await bytesOf(finished) };
    },
});

interface Finished {
  readonly folder: string;
  readonly result: TrainingResult;
}

/** What all trainings of a fold share. */
interface Work {
  /** The fold's. */
  readonly folder: string;
  readonly set: WindowSet;
  readonly options: Options;
  readonly context: Context;
}

/** All trainings of a fold, one after the other; those that are finished are not done again. */
async function trainFold(work: Work, rungs: readonly Rung[]): Promise<readonly Finished[]> {
  const { openWindowReader } = await import("../cache/window-reader.ts");
  const { windowLabels } = await import("../datasets/window-labels.ts");
  const { readResult } = await import("../report/training-result.ts");
  const { windowsDigest } = await import("../systems/anclaf/window-parts.ts");
  const { folder, set, context } = work;
  const range = rangeIn(context.facts);
  const labels = windowLabels(set.byLength.get(rungs[0]!.n)!.training, range);
  const contents = await contentsOf(set.folders);
  const frame = await encoderStart(work);
  await using reader = await openWindowReader();
  const total = rungs.reduce((sum, { steps }) => sum + steps, 0);
  const finished = new Map<string, Finished>();
  let done = 0;
  for (const rung of rungs) {
    context.drain.throwIfAborted();
    const windows = set.byLength.get(rung.n)!;
    const data = { split: set.fold.digest, windows: windowsDigest(windows, (folder) => contents.get(folder)!) };
    const from = rung.from === null ? null : finished.get(rung.from)!;
    const start = from ? { from: from.result.key } : { frame: frame?.digest ?? null };
    const keyParts = identityOf(rung, work, { data, range: asJson(range), ...start });
    const own = join(folder, rung.name);
    const known = await readResult(own);
    if (known?.key !== digestOf(keyParts)) {
      // A shard that is missing or damaged is told before the first epoch, not in the middle of one.
      await reader.check(set.folders);
      const before = done;
      const standing = (iteration: number, words: string) =>
        context.standing((before + iteration) / total, `${rung.name}  ${words}`);
      const one = {
        rung,
        folder: own,
        from,
        frame: frame?.path ?? null,
        keyParts,
        windows,
        data,
        range,
        labels,
        reader,
      };
      await trainOne(work, { ...one, standing });
    }
    finished.set(rung.name, { folder: own, result: (await readResult(own))! });
    done += rung.steps;
  }
  return [...finished.values()];
}

/** The frame model that the first training takes its encoder from, if it does. */
async function encoderStart({ set, options }: Work): Promise<FrameModel | null> {
  const { sequenceInput } = await import("../systems/anclaf/sequence-input.ts");
  const { stage2Settings } = await import("../systems/anclaf/stage2.ts");
  const { kind, preset } = sequenceInput(set.shape);
  if (kind === "features" || stage2Settings(preset, settingsIn(options)).encoder === "fresh") return null;
  const { frameModel } = await import("./frame-model.ts");
  // All entries were made alike, as `contentsOf` saw to.
  const folder = set.folders[0]!;
  return frameModel({ ...options, preset }, folder, basename(dirname(folder))).catch((error: unknown) => {
    if (!(error instanceof PipeError)) throw error;
    throw new PipeError(error.message, {
      hint: `${error.hint ?? ""}; or begin with fresh weights: --encoder fresh`,
      cause: error,
    });
  });
}

/** Those of the second stage's settings that are options; without one, the preset decides. */
const settingsIn = ({ batchFrames: frames, learningRate, dropout, handOver, encoder }: Options) => ({
  ...(frames !== undefined && { frames }),
  ...(learningRate !== undefined && { learningRate }),
  ...(dropout !== undefined && { dropout }),
  ...(handOver !== undefined && { handOver }),
  ...(encoder !== undefined && { encoder }),
});

/** All that decides the bytes of one training: the data, its options, and the training that it starts from. */
function identityOf(rung: Rung, { options }: Work, data: Record<string, Json>): Json {
  const { attention, seed, validateEvery, patience = null } = options;
  return {
    version: VERSION,
    rung: { ...rung },
    ...data,
    options: { attention, seed, validateEvery, patience, ...settingsIn(options) },
  };
}

/** One training. */
interface One {
  readonly rung: Rung;
  /** Its own. */
  readonly folder: string;
  readonly from: Finished | null;
  /** Path of the frame model whose encoder fresh weights begin with. */
  readonly frame: string | null;
  readonly keyParts: Json;
  readonly windows: WindowParts;
  readonly data: Json;
  readonly range: LabelRange;
  readonly labels: WindowLabels;
  readonly reader: WindowReader;
  standing(iteration: number, words: string): void;
}

async function trainOne({ set, options, context }: Work, one: One): Promise<void> {
  const { inWords } = await import("../nn/fit/words.ts");
  const { MODEL_FILE } = await import("../report/fold-model.ts");
  const { sequenceInput } = await import("../systems/anclaf/sequence-input.ts");
  const { trainRung } = await import("../systems/anclaf/train-rung.ts");
  const { attention, seed, validateEvery, patience, engine, provider, threads } = options;
  const { rung, folder, from, frame, windows, data, range, labels, reader, standing } = one;
  const { signal, drain, note } = context;
  await mkdir(folder, { recursive: true });
  const saving = () => note("Saving at the end of this iteration; the same command goes on from there.");
  drain.addEventListener("abort", saving);
  const startedAt = performance.now();
  const trained = await trainRung(rung, {
    folder,
    windows,
    input: sequenceInput(set.shape),
    attention,
    reader,
    labels,
    range,
    from: from && { last: join(from.folder, from.result.facts.last as string), best: join(from.folder, MODEL_FILE) },
    frame,
    data,
    seed,
    ...settingsIn(options),
    validateEvery,
    ...(patience && { patience }),
    engine,
    provider,
    ...(threads && { threads }),
    signal: AbortSignal.any([signal, drain]),
    progress: (event) => {
      if (event.event === "step") standing(event.iteration, inWords(event));
      if (event.event === "warning") note(event.message);
    },
    testing: () => standing(rung.steps, "testing"),
  }).finally(() => drain.removeEventListener("abort", saving));
  await publishOne({ set, options, context }, one, trained, (performance.now() - startedAt) / 1000);
}

/** Writes weights, predictions, attention and, last of all, the result that names them. */
async function publishOne(
  { set, options: { seed, attention }, context }: Omit<Work, "folder">,
  { rung, folder, keyParts, range, labels }: One,
  { weights, test, last, facts }: TrainedRung,
  seconds: number,
): Promise<void> {
  const { exportWeights } = await import("../nn/fit/export.ts");
  const { MODEL_FILE } = await import("../report/fold-model.ts");
  const { ATTENTION_FILE, writeAttention, writeStepPredictions } = await import("../report/sequence-files.ts");
  const { PREDICTIONS_FILE, writeResult } = await import("../report/training-result.ts");
  const { sequenceInput } = await import("../systems/anclaf/sequence-input.ts");
  const input = sequenceInput(set.shape);
  const { fold, folds, digest } = set.fold;
  const dataset = datasetIn(context.facts);
  const about = {
    preset: input.preset,
    input: input.kind,
    variant: rung.variant,
    attention: rung.variant === "sa" ? attention : rung.variant === "uniform" ? "uniform" : "none",
    n: rung.n,
  };
  await writeStepPredictions(folder, test.steps);
  const attends = test.attention.length > 0;
  if (attends) await writeAttention(folder, rung.n, test.attention);
  await exportWeights(
    join(folder, MODEL_FILE),
    [weights],
    {
      trainedOn: dataset === "synth" ? "synthetic faces" : dataset,
      command: `train-seq ${JSON.stringify({ ...rung, seed })}`,
      time: `${Math.round(seconds)} s`,
      seed,
      metrics: test.metrics,
      more: {
        ...about,
        n: `${rung.n}`,
        ...(input.kind === "latents" && { zq: input.form }),
        fold: `${fold} of ${folds}`,
        data: digest,
        range: JSON.stringify(range),
      },
    },
    "f32",
  );
  const files = [MODEL_FILE, PREDICTIONS_FILE, "log.jsonl", last, ...(attends ? [ATTENTION_FILE] : [])];
  await writeResult(
    folder,
    {
      key: digestOf(keyParts),
      keyParts,
      ...placeOf(context, set),
      metrics: test.metrics,
      facts: {
        ...facts,
        ...about,
        model: rung.family,
        dataset,
        last,
        seed,
        range: asJson(range),
        trainMean: { ...labels.mean },
        frames: { training: labels.frames, test: test.steps.length },
      },
    },
    files,
  );
}

/** Says, last of all, that every training of the fold is finished. */
async function publishFold(folder: string, set: WindowSet, finished: readonly Finished[], context: Context) {
  const { RESULT_FILE, writeResult } = await import("../report/training-result.ts");
  // Controls come after the model that was asked for.
  const { metrics, facts } = finished.findLast(({ result }) =>
    SEQUENCE_MODELS.some((model) => model === result.facts.model),
  )!.result;
  Object.assign(context.facts, { model: `${facts.model}-${facts.n}`, metrics, trainMean: facts.trainMean });
  await writeResult(
    folder,
    {
      key: context.key,
      keyParts: context.keyParts,
      ...placeOf(context, set),
      metrics,
      facts: { ...context.facts, trainings: finished.map(({ folder }) => basename(folder)) },
    },
    finished.map(({ folder }) => `${basename(folder)}/${RESULT_FILE}`),
  );
}

/** Where the windows came from. */
function placeOf({ source: { name, digest, path } }: Context, { fold: { fold, folds } }: WindowSet) {
  return { source: { name, digest }, fold, folds, store: path, data: path };
}

/**
 * What each entry holds, by its folder. Throws a PipeError that names the fields where entries were made in different ways:
 * by another checkpoint, of other crops, with another version.
 */
async function contentsOf(folders: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { contentDigest, readMarker } = await import("../cache/marker.ts");
  const { recipeDifference } = await import("../cache/recipe.ts");
  const contents = new Map<string, string>();
  let first: { readonly name: string; readonly keyParts: Json } | undefined;
  for (const folder of folders) {
    const marker = await readMarker(folder);
    if ("problem" in marker)
      throw new PipeError(`${folder} is not an intact cache entry: ${marker.problem}.`, {
        hint: "Run the pipeline that made it again: it replaces broken entries.",
      });
    first ??= { name: marker.source.name, keyParts: marker.keyParts };
    const changed = recipeDifference(first.keyParts, marker.keyParts);
    if (changed.length > 0)
      throw new PipeError(
        `The latents of ${first.name} and of ${marker.source.name} were made in different ways: ${changed.join("; ")}.`,
        { hint: "Train on latents of one checkpoint, one kind of crop and one version." },
      );
    contents.set(folder, contentDigest(marker));
  }
  return contents;
}

const interval = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high);
const rangeSchema = z.object({ valence: interval, arousal: interval });

function rangeIn({ range, labels }: Context["facts"]): LabelRange {
  const found = rangeSchema.safeParse(range).data ?? rangeSchema.safeParse(labels).data;
  if (found) return found;
  throw new PipeError("The latents do not say which values their labels may take, and labels are scaled by that.", {
    hint: "Make them again with this version: pipe run extract-faces; or give the label files a range.",
  });
}

function datasetIn({ labels }: Context["facts"]): string {
  return z.object({ dataset: z.string() }).safeParse(labels).data?.dataset ?? "labelled videos";
}

const asJson = ({ valence, arousal }: LabelRange): Json => ({ valence: [...valence], arousal: [...arousal] });

async function bytesOf(finished: readonly Finished[]): Promise<number> {
  const paths = finished.flatMap(({ folder, result }) => Object.keys(result.files).map((name) => join(folder, name)));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
