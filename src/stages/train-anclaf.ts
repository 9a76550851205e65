import { join, resolve } from "node:path";
import { z } from "zod";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { makeFolder } from "../disk.ts";
import type { About } from "../nn/fit/export.ts";
import type { Weights } from "../nn/weights.ts";
import type { Fold } from "../records.ts";
import type { PredictedFace } from "../report/training-result.ts";
import { ANCLAF_PRESETS, ZQ_FORMS } from "../systems/anclaf/presets.ts";
import { type Context, defineStage } from "./define.ts";
import { cachedTraining, publishedTrainings, trainingBytes } from "./trainings.ts";

const schema = z.strictObject({
  output: z.string().min(1).default("data/runs/train-anclaf").describe("folder that gets one folder a fold"),
  preset: z.enum(ANCLAF_PRESETS).default("small").describe("the paper's networks, or the same at half the resolution"),
  steps: z.int().positive().default(3000).describe("iterations; the discriminator is trained in each of them"),
  seed: z.int().nonnegative().default(1).describe("decides weights, order, augmentation and distortion"),
  batchSize: z.int().min(2).optional().describe("images in a batch; default: the preset's"),
  learningRate: z.number().positive().optional().describe("Adam's rate; default: the preset's"),
  critics: z
    .int()
    .positive()
    .optional()
    .describe("the generator and the combiner are trained in every so many iterations; default: the preset's"),
  zq: z.enum(ZQ_FORMS).default("onehot").describe("how Q joins Z: 4 planes, 1 plane (as published), or not at all"),
  reconstruction: z
    .enum(["direct", "cycle"])
    .default("direct")
    .describe("what is compared with the clean image: G(I), or G(G(I)) as in the published code"),
  validateEvery: z.int().positive().default(500).describe("iterations between two looks at the validation people"),
  patience: z.int().positive().optional().describe("stop after so many looks without a better one; default: never"),
  engine: z.enum(ENGINES).default("auto").describe("what executes the training steps"),
  provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
  threads: z.int().positive().optional().describe("threads of the training steps; default: the machine's cores"),
});
type Options = z.output<typeof schema>;

/**
 * ANCLaF's first stage on one fold: G, D and the frame combiner C learn from the training people, the validation people
 * decide which checkpoint is the best, and only then are the fold's own people looked at.
 *
 * A fold's folder gets `checkpoints/`, `log.jsonl` and `timing.jsonl` from the training loop, `model.safetensors` (the best
 * weights), `predictions.csv` (the fold's people) and, last of all, `result.json`. Interrupted or killed, the same command
 * goes on from the last checkpoint and ends with the same bytes.
 */
export default defineStage({
  name: "train-anclaf",
  summary: "fold → artifact: ANCLaF's G, D and frame combiner trained, then tested on people they never saw",
  version: 1,
  takes: "fold",
  gives: "artifact",
  options: schema,
  runtime: ["output", "engine", "provider", "threads"],
  output: ({ output }) => output,
  saves: true,
  cached: ({ output }, { key }) => cachedTraining(output, key),
  published: ({ output }, { digest }) => publishedTrainings(output, (source) => source.digest === digest),
  run: (options, context) =>
    async function* (folds) {
      for await (const fold of folds) {
        const folder = join(resolve(options.output), `fold-${fold.fold}`);
        await makeFolder(folder);
        await trainFold(folder, fold, options, context);
        context.verdict("complete");
        yield { kind: "artifact", path: folder, bytes: await trainingBytes(folder) };
      }
    },
});

/** Trains, tests and publishes; gives the names of the files. */
async function trainFold(folder: string, fold: Fold, options: Options, context: Context): Promise<void> {
  const { openFaceStore, rowsOf } = await import("../datasets/face-store.ts");
  const { readFolds } = await import("../datasets/fold-file.ts");
  const { splitOf } = await import("../datasets/folds.ts");
  const { scaledFaces } = await import("../datasets/scaled-faces.ts");
  const { inWords } = await import("../nn/fit/words.ts");
  const { weightsOf } = await import("../nn/fit.ts");
  const { testFrames } = await import("../systems/anclaf/test-frames.ts");
  const { trainStage1 } = await import("../systems/anclaf/train.ts");
  const { preset, steps, seed, batchSize, learningRate, critics, zq, reconstruction } = options;
  const { validateEvery, patience, engine, provider, threads } = options;
  const device = { engine, provider, ...(threads && { threads }) };
  const { signal, drain, source } = context;

  await using store = await openFaceStore(fold.store, { signal });
  const { training, validation, test } = splitOf((await readFolds(fold.split)).folds, fold.fold);
  const rows = rowsOf(store, training);
  const faces = scaledFaces(store, rows);
  const saving = () => context.note("Saving at the end of this iteration; the same command goes on from there.");
  drain.addEventListener("abort", saving);
  const result = await trainStage1({
    name: `anclaf (${preset})`,
    folder,
    preset,
    form: zq,
    reconstruction,
    iterations: steps,
    seed,
    faces,
    training: rows,
    validation: rowsOf(store, validation),
    data: { faces: store.digest, fold: source.digest },
    validateEvery,
    ...(batchSize && { batch: batchSize }),
    ...(learningRate && { learningRate }),
    ...(critics && { critics }),
    ...(patience && { patience }),
    ...device,
    signal: AbortSignal.any([signal, drain]),
    progress: (event) => {
      if (event.event === "step") context.standing(event.iteration / event.iterations, inWords(event));
      if (event.event === "warning") context.note(event.message);
    },
  }).finally(() => drain.removeEventListener("abort", saving));
  const { best } = result;
  const weights = await weightsOf(best?.path ?? result.last);
  context.standing(1, "testing");
  const { metrics, ...tested } = await testFrames(store, {
    indices: rowsOf(store, test),
    weights,
    preset,
    form: zq,
    seed,
    ...device,
    signal,
  });
  Object.assign(context.facts, {
    engine: { ...result.engine },
    metrics,
    best: best ? { iteration: best.iteration, validation: { ...best.metrics } } : null,
    trainMean: { valence: meanOf(store.valence, rows), arousal: meanOf(store.arousal, rows) },
    reconstruction: tested.reconstruction.map((score) => ({ ...score })),
  });
  const work = { preset, steps, seed, zq, reconstruction, batchSize, learningRate, critics };
  await publish(folder, fold, context, {
    weights,
    faces: tested.faces,
    metrics,
    about: {
      trainedOn: store.dataset.name === "synth" ? "synthetic faces" : store.dataset.name,
      command: `train-anclaf ${JSON.stringify(work)}`,
      seed,
      metrics,
      more: {
        preset,
        zq,
        fold: `${fold.fold} of ${fold.folds}`,
        data: source.digest,
        range: JSON.stringify(store.range),
      },
    },
  });
}

interface Trained {
  readonly weights: Weights;
  readonly faces: readonly PredictedFace[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly about: About;
}

/** Writes weights, predictions and, last of all, the result that names both. */
async function publish(
  folder: string,
  { fold, folds, store }: Fold,
  context: Context,
  trained: Trained,
): Promise<void> {
  const { exportWeights } = await import("../nn/fit/export.ts");
  const { MODEL_FILE } = await import("../report/fold-model.ts");
  const { PREDICTIONS_FILE, writePredictions, writeResult } = await import("../report/training-result.ts");
  const { weights, faces, metrics, about } = trained;
  const { source, key, keyParts, facts } = context;
  await exportWeights(join(folder, MODEL_FILE), [weights], about, "f32");
  await writePredictions(folder, faces);
  const files = [MODEL_FILE, PREDICTIONS_FILE, "log.jsonl"];
  const { name, digest, path: data } = source;
  await writeResult(
    folder,
    { key, keyParts, source: { name, digest }, fold, folds, store, data, metrics, facts },
    files,
  );
}

function meanOf(values: Float32Array, rows: Int32Array): number {
  return rows.reduce((sum, row) => sum + values[row]!, 0) / rows.length;
}
