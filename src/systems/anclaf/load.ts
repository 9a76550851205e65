import { digestOf } from "../../digest.ts";
import { readCheckpoint } from "../../nn/checkpoint.ts";
import { initialise } from "../../nn/init.ts";
import { disposeParameters, type Parameters, toParameters } from "../../nn/parameters.ts";
import { encodeSafetensors } from "../../nn/safetensors.ts";
import { conform, type Weights } from "../../nn/weights.ts";
import { discriminatorParameters, generatorParameters } from "./networks.ts";
import { type AnclafPreset, presets } from "./presets.ts";

/** ANCLaF's G and D with their weights. */
export interface LoadedAnclaf {
  /** `generator.*` and `discriminator.*`; freed by `dispose`. */
  readonly parameters: Parameters;
  /** Where the numbers come from: "untrained (seed 1)" or "checkpoint 0123456789ab", the start of the file's sha256. */
  readonly weights: string;
  /** sha256, hex, of the checkpoint file, or of the file that the untrained weights would make. */
  readonly digest: string;
  dispose(): void;
}

export interface AnclafSource {
  readonly preset: AnclafPreset;
  /** A `.safetensors` file; without it the weights are seeded. */
  readonly checkpoint?: string | undefined;
  readonly seed?: number | undefined;
}

/** Throws a PipeError when the checkpoint cannot be read, is damaged, or does not fit the preset, naming each tensor. */
export async function loadAnclaf(source: AnclafSource): Promise<LoadedAnclaf> {
  const { weights, origin, digest } = await weightsOf(source);
  const parameters = toParameters(weights);
  return { parameters, weights: origin, digest, dispose: () => disposeParameters(parameters) };
}

async function weightsOf({ preset, checkpoint, seed = 1 }: AnclafSource): Promise<{
  weights: Weights;
  origin: string;
  digest: string;
}> {
  const sizes = presets[preset];
  const specs = [...generatorParameters(sizes), ...discriminatorParameters(sizes)];
  if (checkpoint === undefined) {
    const weights = initialise(specs, seed);
    return { weights, origin: `untrained (seed ${seed})`, digest: digestOf(encodeSafetensors(weights)) };
  }
  const read = await readCheckpoint(checkpoint);
  const weights = conform(read.weights, specs, `${checkpoint} (preset ${preset})`);
  return { weights, origin: `checkpoint ${read.digest.slice(0, 12)}`, digest: read.digest };
}
