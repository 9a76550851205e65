import { z } from "zod";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { canonical, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { inBatches } from "../nn/batches.ts";
import { readCheckpoint } from "../nn/checkpoint.ts";
import { type Crop, type Latent, type Source, subjectOf } from "../records.ts";
import type { EncodedImage } from "../systems/anclaf/latents.ts";
import { ANCLAF_PRESETS, presets, ZQ_FORMS, zqShape } from "../systems/anclaf/presets.ts";
import { asPlanned } from "./as-planned.ts";
import { defineStage } from "./define.ts";

/**
 * ANCLaF's frozen G and D as the expensive half of a cached pipeline: one ZQ for each crop, in the crops' order, rows
 * without pixels passing through with `z` null. Batches reach across frames; while one is in the worker the next fills.
 */
export default defineStage({
  name: "encode-latents",
  summary: "crop* → latent*: ANCLaF's latent Z joined with quadrant Q, batched",
  version: 1,
  takes: "crop",
  gives: "latent",
  options: z.strictObject({
    preset: z
      .enum(ANCLAF_PRESETS)
      .default("small")
      .describe("the paper's networks, or the same at half the resolution"),
    checkpoint: z
      .string()
      .optional()
      .describe("trained weights, a .safetensors file; default: the one that comes with the package for this preset"),
    models: z
      .string()
      .min(1)
      .optional()
      .describe("instead of a checkpoint: what train-anclaf wrote, of which each clip takes its own fold's model"),
    seed: z.int().nonnegative().optional().describe("instead of a checkpoint: untrained weights of this seed"),
    zq: z
      .enum(ZQ_FORMS)
      .default("onehot")
      .describe("how Q joins Z: 4 planes of probabilities, 1 plane of the likeliest id, or not at all"),
    batch: z.int().min(1).max(256).default(16).describe("crops in one run of the networks"),
    engine: z.enum(ENGINES).default("auto").describe("what executes the networks"),
    provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
    threads: z.int().positive().optional().describe("threads of the networks; default: the machine's cores"),
  }),
  // Checkpoints count by their bytes, as models, not by their paths.
  runtime: ["checkpoint", "models", "batch", "engine", "provider", "threads"],
  async models(options, asked): Promise<Record<string, string>> {
    const { checkpointFor } = await import("../systems/anclaf/load.ts");
    if (options.models !== undefined) {
      if (options.checkpoint !== undefined || options.seed !== undefined)
        throw new PipeError("encode-latents is given models, and a checkpoint or a seed besides.", {
          hint: "Give one of them: the folds' models, one checkpoint for all sources, or a seed.",
        });
      const { checkTrained } = await import("../report/fold-model.ts");
      await checkTrained(options.models, options.preset, asked);
      return {};
    }
    const checkpoint = checkpointFor(options);
    return checkpoint === undefined ? {} : { anclaf: (await readCheckpoint(checkpoint)).digest };
  },
  async modelsFor(options, source): Promise<Record<string, string>> {
    return options.models === undefined ? {} : { anclaf: (await modelOf(options.models, options, source)).digest };
  },
  run: (options, context) =>
    async function* (crops) {
      const { preset, models, seed, zq: form, batch, engine, provider, threads } = options;
      const checkpoint =
        models === undefined ? options.checkpoint : (await modelOf(models, options, context.source)).path;
      const name = `encode-latents ${canonical({ ...options, checkpoint } as Json)}`;
      const encoder = await context.shared(name, async () => {
        const { openEncoder } = await import("../systems/anclaf/latents.ts");
        const opened = await openEncoder({
          preset,
          checkpoint,
          seed,
          form,
          batch,
          engine,
          provider,
          ...(threads && { threads }),
        });
        if (engine !== "auto" && opened.engine.name !== engine)
          context.note(`encode-latents runs on ${opened.engine.name}: ${opened.engine.why}.`);
        if (opened.weights.startsWith("untrained"))
          context.note(`encode-latents: ANCLaF is ${opened.weights}: its latents are for trials only.`);
        return opened;
      });
      asPlanned(context, { anclaf: encoder.digest });
      context.facts.weights = encoder.weights;
      context.facts.engine = { ...encoder.engine };
      const shape = zqShape(presets[preset], form);
      const run = (batch: readonly Crop[]) => {
        context.signal.throwIfAborted();
        return encoder.encode(batch.map((crop) => crop.image!));
      };
      const encoded = inBatches(crops, { size: batch, wants: (crop: Crop) => crop.status === "ok", run });
      for await (const [crop, result] of encoded) yield latentOf(crop, result, shape);
    },
});

/** The model that never saw the source's people, if they are tested: that of its fold, which is checked to be just that. */
async function modelOf(models: string, { preset }: { preset: string }, { name, clip }: Source) {
  if (clip === undefined)
    throw new PipeError(`${name} is in no fold, and encode-latents is to take its fold's model.`, {
      hint: "Only read-faces gives clips with folds; for videos name one --checkpoint.",
    });
  const { foldModel } = await import("../report/fold-model.ts");
  return foldModel(models, clip, preset).catch((error: unknown) => {
    // All clips of the fold would be refused for the same reason.
    if (!(error instanceof PipeError)) throw error;
    throw new PipeError(error.message, { ...(error.hint && { hint: error.hint }), cause: error, forAll: true });
  });
}

function latentOf(crop: Crop, encoded: EncodedImage | null, shape: readonly number[]): Latent {
  return { kind: "latent", ...subjectOf(crop), z: encoded?.z ?? null, shape, q: encoded?.q ?? null };
}
