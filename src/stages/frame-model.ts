import { stat } from "node:fs/promises";
import { z } from "zod";
import { fingerprint } from "../cache/fingerprint.ts";
import { recipeDigest } from "../cache/recipe.ts";
import { digestFile, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { AnclafPreset } from "../systems/anclaf/presets.ts";

/** Where ANCLaF's frame models are looked for. */
export interface FrameModelOptions {
  /** Of the networks that made the latents. */
  readonly preset: AnclafPreset;
  /** For clips of a fold: the folder that train-anclaf wrote. */
  readonly models: string;
  /** For other latents: the trained weights that made them; default: those that come with the package. */
  readonly checkpoint?: string | undefined;
}

export interface FrameModel {
  readonly path: string;
  /** sha256 of the file. */
  readonly digest: string;
  /** sha256 of the steps that made the latents: their recipe. */
  readonly latents: string;
}

/**
 * The model whose G and D made the latents of a cache entry, which has the combiner that was trained with them.
 *
 * @param folder the entry's
 * @param name the entry's source, for errors
 * @throws PipeError when nobody knows what made them, and, naming the field, when they are another model's
 */
export async function frameModel(options: FrameModelOptions, folder: string, name: string): Promise<FrameModel> {
  const { readMarker } = await import("../cache/marker.ts");
  const { clipIn } = await import("../cache/stored.ts");
  const marker = await readMarker(folder);
  if ("problem" in marker)
    throw new PipeError(`${name}: nobody knows what made its latents: ${marker.problem}.`, {
      hint: "Begin the pipeline with read-latents on what extract-latents or extract-faces made.",
    });
  const clip = clipIn(marker);
  const { path, digest } = clip ? await ofFold(options, clip) : await ofVideos(options, name);
  const steps = stepsIn(marker.keyParts);
  const made = steps.find(({ stage }) => stage === "encode-latents")?.models.anclaf;
  if (made !== digest)
    throw new PipeError(
      `${name}: encode-latents.models.anclaf is ${made?.slice(0, 12) ?? "none (untrained)"} where ${digest.slice(0, 12)} is wanted: its latents are not by ${path}.`,
      {
        hint: clip
          ? "Name the trainings that made them: --models DIR; or make them again: pipe run extract-faces"
          : "Name the checkpoint that made them: --checkpoint FILE; or make them again: pipe run extract-latents",
      },
    );
  // Without the label file, which is of one video alone.
  return { path, digest, latents: recipeDigest(marker.keyParts) };
}

/** sha256 of the frame model that made an entry's latents, or the features of them; undefined if it was untrained. */
export function makerIn(keyParts: Json): string | undefined {
  return stepsIn(keyParts).findLast(({ stage }) => stage === "encode-latents" || stage === "encode-features")?.models
    .anclaf;
}

const stepsIn = (keyParts: Json) => stepsSchema.safeParse(keyParts).data?.steps ?? [];

const stepsSchema = z.object({
  steps: z.array(z.looseObject({ stage: z.string(), models: z.record(z.string(), z.string()) })),
});

async function ofFold({ models, preset }: FrameModelOptions, clip: { fold: number; folds: number; digest: string }) {
  const { foldModel } = await import("../report/fold-model.ts");
  return foldModel(models, clip, preset);
}

async function ofVideos({ checkpoint, preset }: FrameModelOptions, name: string) {
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
