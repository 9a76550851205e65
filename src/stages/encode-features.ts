import { stat } from "node:fs/promises";
import { z } from "zod";
import { fingerprint } from "../cache/fingerprint.ts";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { canonical, digestFile, digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { inBatches } from "../nn/batches.ts";
import type { Latent, Source } from "../records.ts";
import { ANCLAF_PRESETS } from "../systems/anclaf/presets.ts";
import { defineStage } from "./define.ts";

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
type Options = z.output<typeof schema>;

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
    const { digest, latents } = await modelOf(options, source);
    // How the latents were made is part of how the features were.
    return { anclaf: digest, latents };
  },
  run: (options, context) =>
    async function* (latents) {
      const { preset, batch, engine, provider, threads } = options;
      const { path: checkpoint } = await modelOf(options, context.source);
      const name = `encode-features ${canonical({ ...options, checkpoint } as Json)}`;
      const encoder = await context.shared(name, async () => {
        const { openFeatureEncoder } = await import("../systems/anclaf/features.ts");
        return openFeatureEncoder({ preset, checkpoint, batch, engine, provider, ...(threads && { threads }) });
      });
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

interface Model {
  readonly path: string;
  readonly digest: string;
  /** sha256 of the steps that made the latents. */
  readonly latents: string;
}

/**
 * The model whose G and D made a source's latents, which has the combiner that was trained with them. Throws a PipeError
 * that names the field when the latents are another model's.
 */
async function modelOf(options: Options, source: Source): Promise<Model> {
  const { readMarker } = await import("../cache/marker.ts");
  const marker = await readMarker(source.path);
  if ("problem" in marker)
    throw new PipeError(`${source.name}: nobody knows what made its latents: ${marker.problem}.`, {
      hint: "Begin the pipeline with read-latents on what extract-latents or extract-faces made.",
    });
  const { path, digest } = await wantedModel(options, source);
  const steps = stepsSchema.safeParse(marker.keyParts).data?.steps ?? [];
  const made = steps.find(({ stage }) => stage === "encode-latents")?.models.anclaf;
  if (made !== digest)
    throw new PipeError(
      `${source.name}: encode-latents.models.anclaf is ${made?.slice(0, 12) ?? "none (untrained)"} where ${digest.slice(0, 12)} is wanted: its latents are not by ${path}.`,
      {
        hint: source.clip
          ? "Name the trainings that made them: --models DIR; or make them again: pipe run extract-faces"
          : "Name the checkpoint that made them: --checkpoint FILE; or make them again: pipe run extract-latents",
      },
    );
  return { path, digest, latents: digestOf(steps as unknown as Json) };
}

const stepsSchema = z.object({
  steps: z.array(z.looseObject({ stage: z.string(), models: z.record(z.string(), z.string()) })),
});

async function wantedModel({ models, checkpoint, preset }: Options, { clip, name }: Source) {
  if (clip !== undefined) {
    const { foldModel } = await import("../report/fold-model.ts");
    return foldModel(models, clip, preset);
  }
  const { checkpointFor } = await import("../systems/anclaf/load.ts");
  const path = checkpointFor({ preset, checkpoint });
  if (path === undefined)
    throw new PipeError(`${name}: no trained weights come with the package for the preset ${preset}.`, {
      hint: "Name the checkpoint that made the latents: --checkpoint FILE",
    });
  return { path, digest: await fileDigest(path) };
}

/** Hashed once a process, and again when the file changes. */
async function fileDigest(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  if (stats === undefined) throw new PipeError(`${path}: the checkpoint does not exist.`);
  const key = `${path} ${fingerprint(stats)}`;
  const digest = digests.get(key) ?? digestFile(path);
  digests.set(key, digest);
  return digest;
}

const digests = new Map<string, Promise<string>>();

function fitting({ z, shape }: Latent, wanted: readonly number[], preset: string): Float32Array {
  if (shape.join() === wanted.join()) return z!;
  throw new PipeError(
    `The latents have the shape [${shape.join(", ")}], not [${wanted.join(", ")}] (preset ${preset}).`,
    {
      hint: "Give the preset and the form of Q that they were made with.",
    },
  );
}
