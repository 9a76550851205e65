import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import type { FitOptions, Phase } from "../../nn/fit.ts";
import { adam } from "../../nn/optimisers.ts";
import type { Parameters } from "../../nn/parameters.ts";
import { cosine } from "../../nn/schedules.ts";
import type { ParameterSpec } from "../../nn/weights.ts";
import { combinerParameters } from "./combiner.ts";
import {
  type CriticInputs,
  criticLosses,
  type GeneratorInputs,
  generatorLosses,
  type Reconstruction,
} from "./losses.ts";
import { discriminatorParameters, generatorParameters } from "./networks.ts";
import { normalised } from "./pixels.ts";
import { predictions } from "./predictions.ts";
import {
  type AnclafPreset,
  type AnclafSizes,
  presets,
  type Stage1Settings,
  stage1Presets,
  type ZqForm,
} from "./presets.ts";

export const STAGE1_PARTS = ["generator", "discriminator", "combiner"] as const;
export type Stage1Part = (typeof STAGE1_PARTS)[number];

/** Σ weight · loss is what a phase lowers: WGAN-GP's and StarGAN's weights, and 1 for each term of the affect loss. */
export const STAGE1_WEIGHTS = {
  discriminator: { real: 1, fake: 1, penalty: 10, quadrant: 1 },
  generator: { adversarial: 1, reconstruction: 10, quadrant: 1, rmse: 1, cor: 1, ccc: 1, icc: 1 },
} as const;

export interface Stage1Options extends Partial<Stage1Settings> {
  readonly preset: AnclafPreset;
  /** How C reads Q, as probabilities by default. */
  readonly form?: ZqForm;
  /** Default direct. */
  readonly reconstruction?: Reconstruction;
  /** Instead of the preset's. */
  readonly sizes?: AnclafSizes;
  /** Iterations of the whole training, which a falling rate needs. */
  readonly iterations?: number;
}

/** What `fit` needs of ANCLaF's first stage, apart from data, folder and length. */
export interface Stage1 extends Required<Pick<FitOptions, "parts" | "phases" | "programs" | "config">> {
  readonly parts: Record<Stage1Part, readonly ParameterSpec[]>;
  readonly settings: Stage1Settings;
}

/**
 * Stage 1 (ANCLaF §3.1, §4): in every iteration the discriminator is trained, and in every `critics`-th also generator and
 * combiner, together, since the affect loss reaches G through Z. Both phases take the feeds of `trainingBatches`.
 *
 * The program `predict` gives `affect` and `quadrant` (see predictions.ts) of `pixels`, for validation.
 */
export function stage1(options: Stage1Options): Stage1 {
  const { preset, form = "onehot", reconstruction = "direct", sizes = presets[preset] } = options;
  const { batch, learningRate, schedule, critics } = { ...stage1Presets[preset], ...defined(options) };
  const rateOf = (updates: number) =>
    schedule === "cosine" ? cosine(learningRate, { length: updates }) : learningRate;
  const { iterations } = options;
  if (schedule === "cosine" && iterations === undefined)
    throw new PipeError("A rate that falls along a cosine needs the number of iterations.");
  const phase = (
    name: keyof typeof STAGE1_WEIGHTS,
    trains: readonly Stage1Part[],
    every: number,
    losses: (parts: Record<Stage1Part, Parameters>, inputs: Record<string, Tensor>) => Record<string, Scalar>,
  ): Phase => ({
    name,
    trains,
    every,
    optimiser: adam({ learningRate: rateOf(Math.ceil((iterations ?? 0) / every)), betas: [0.5, 0.999] }),
    weights: STAGE1_WEIGHTS[name],
    losses: (parts, { clean, distorted, ...rest }) =>
      losses(parts as Record<Stage1Part, Parameters>, {
        clean: normalised(clean!, sizes.image),
        distorted: normalised(distorted!, sizes.image),
        ...rest,
      }),
  });
  return {
    parts: {
      generator: generatorParameters(sizes),
      discriminator: discriminatorParameters(sizes),
      combiner: combinerParameters(sizes, form),
    },
    phases: [
      phase("discriminator", ["discriminator"], 1, (parts, inputs) =>
        criticLosses(parts, sizes, inputs as unknown as CriticInputs),
      ),
      phase("generator", ["generator", "combiner"], critics, (parts, inputs) =>
        generatorLosses(parts, sizes, inputs as unknown as GeneratorInputs, { form, reconstruction }),
      ),
    ],
    programs: {
      predict: (parts, { pixels }) => {
        const { affect, quadrant } = predictions(parts as Record<Stage1Part, Parameters>, sizes, form, pixels!);
        return { affect, quadrant };
      },
    },
    settings: { batch, learningRate, schedule, critics },
    config: { sizes: { ...sizes }, form, reconstruction, batch } as Json,
  };
}

/** Without the settings that were passed as undefined. */
function defined({ batch, learningRate, schedule, critics }: Stage1Options): Partial<Stage1Settings> {
  return {
    ...(batch !== undefined && { batch }),
    ...(learningRate !== undefined && { learningRate }),
    ...(schedule !== undefined && { schedule }),
    ...(critics !== undefined && { critics }),
  };
}
