import { z } from "zod";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { canonical, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { inBatches } from "../nn/batches.ts";
import type { Latent } from "../records.ts";
import { ANCLAF_PRESETS } from "../systems/anclaf/presets.ts";
import { asPlanned } from "./as-planned.ts";
import { defineStage } from "./define.ts";
import { frameModel } from "./frame-model.ts";

const schema = z.strictObject({
  preset: z.enum(ANCLAF_PRESETS).default("small").describe("size of the networks that made the latents"),
  models: z
    .string()
    .min(1)
    .default("data/runs/train-anclaf")
    .describe("for clips of a fold: what train-anclaf wrote, of which each clip takes its own fold's model"),
  checkpoint: z
    .string()
    .optional()
    .describe("for other latents: the trained weights that made them; default: those that come with the package"),
  batch: z.int().min(1).max(1024).default(32).describe("latents in one run of the encoder"),
  engine: z.enum(ENGINES).default("auto").describe("what executes the encoder"),
  provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
  threads: z.int().positive().optional().describe("threads of the encoder; default: the machine's cores"),
});
/**
 * The second level of a cache: latents ZQ through the frozen encoder of the frame combiner that was trained with them, to
 * the features that the sequence models' memory reads. Everything else of a latent stays with it, and so do the facts.
 */
export default defineStage({
  name: "encode-features",
  summary: "latent* → latent*: ZQ to the trained frame combiner's features, batched",
  version: 1,
  takes: "latent",
  gives: "latent",
  options: schema,
  // Models count by their bytes, not by their paths.
  runtime: ["models", "checkpoint", "batch", "engine", "provider", "threads"],
  async modelsFor(options, source): Promise<Record<string, string>> {
    const { digest, latents } = await frameModel(options, source.path, source.name);
    // How the latents were made is part of how the features were.
    return { anclaf: digest, latents };
  },
  run: (options, context) =>
    async function* (latents) {
      const { preset, batch, engine, provider, threads } = options;
      const { path: checkpoint } = await frameModel(options, context.source.path, context.source.name);
      const name = `encode-features ${canonical({ ...options, checkpoint } as Json)}`;
      const encoder = await context.shared(name, async () => {
        const { openFeatureEncoder } = await import("../systems/anclaf/features.ts");
        return openFeatureEncoder({ preset, checkpoint, batch, engine, provider, ...(threads && { threads }) });
      });
      asPlanned(context, { anclaf: encoder.digest });
      const run = (some: readonly Latent[]) => {
        context.signal.throwIfAborted();
        return encoder.encode(some.map((latent) => fitting(latent, encoder.latentShape, preset)));
      };
      const encoded = inBatches(latents, { size: batch, wants: (latent: Latent) => latent.z !== null, run });
      for await (const [{ place: _, ...latent }, features] of encoded) {
        // What read-latents says of the latents is there by now; the engine is this stage's own.
        context.facts.engine = { ...encoder.engine };
        context.facts.features = encoder.weights;
        if (latent.status === "ok" && features === null)
          throw new PipeError(`${context.source.name}: the latents came without their values.`, {
            hint: "Let read-latents read them: --set read-latents.values=true",
          });
        yield { ...latent, z: features, shape: encoder.shape };
      }
    },
});

function fitting({ z, shape }: Latent, wanted: readonly number[], preset: string): Float32Array {
  if (shape.join() === wanted.join()) return z!;
  throw new PipeError(
    `The latents have the shape [${shape.join(", ")}], not [${wanted.join(", ")}] (preset ${preset}).`,
    {
      hint: "Give the preset and the form of Q that they were made with.",
    },
  );
}
