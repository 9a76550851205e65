import { z } from "zod";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { canonical, type Json } from "../digest.ts";
import { inBatches } from "../nn/batches.ts";
import { readCheckpoint } from "../nn/checkpoint.ts";
import type { Crop, Latent } from "../records.ts";
import type { EncodedImage } from "../systems/anclaf/latents.ts";
import { ANCLAF_PRESETS, presets, ZQ_FORMS, zqShape } from "../systems/anclaf/presets.ts";
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
    preset: z.enum(ANCLAF_PRESETS).default("paper").describe("size of the networks: the paper's, or half its width"),
    checkpoint: z
      .string()
      .optional()
      .describe("trained weights, a .safetensors file; default: the one that comes with the package for this preset"),
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
  // The checkpoint counts by its bytes, as a model, not by its path.
  runtime: ["checkpoint", "batch", "engine", "provider", "threads"],
  async models(options): Promise<Record<string, string>> {
    const { checkpointFor } = await import("../systems/anclaf/load.ts");
    const checkpoint = checkpointFor(options);
    return checkpoint === undefined ? {} : { anclaf: (await readCheckpoint(checkpoint)).digest };
  },
  run: (options, context) =>
    async function* (crops) {
      const { preset, checkpoint, seed, zq: form, batch, engine, provider, threads } = options;
      const encoder = await context.shared(`encode-latents ${canonical(options as Json)}`, async () => {
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

function latentOf(crop: Crop, encoded: EncodedImage | null, shape: readonly number[]): Latent {
  const { index, pts, status, track, shot, box, score, landmarks } = crop;
  const subject = { index, pts, status, track, shot, box, score, landmarks };
  return { kind: "latent", ...subject, z: encoded?.z ?? null, shape, q: encoded?.q ?? null };
}
