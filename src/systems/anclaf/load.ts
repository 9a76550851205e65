import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
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
  /**
   * Where the numbers come from: "untrained (seed 1)", or "checkpoint 0123456789ab", the start of the file's sha256, with
   * what it was trained on where the file says so.
   */
  readonly weights: string;
  /** sha256, hex, of the checkpoint file, or of the file that the untrained weights would make. */
  readonly digest: string;
  dispose(): void;
}

export interface AnclafSource {
  readonly preset: AnclafPreset;
  /** A `.safetensors` file; parts that are not asked for (a combiner beside G and D) are passed over. */
  readonly checkpoint?: string | undefined;
  /** Without a checkpoint: fresh weights of this seed. Without either: the bundled checkpoint, or else seed 1. */
  readonly seed?: number | undefined;
}

/** The checkpoint that is used when none is named: one that comes with this package, if it has one for the preset. */
export function checkpointFor({ preset, checkpoint, seed }: AnclafSource): string | undefined {
  if (checkpoint !== undefined || seed !== undefined) return checkpoint;
  const bundled = fileURLToPath(new URL(`../../../data/models/anclaf-${preset}.safetensors`, import.meta.url));
  return existsSync(bundled) ? bundled : undefined;
}

/** Throws a PipeError when the checkpoint cannot be read, is damaged, or does not fit the preset, naming each tensor. */
export async function loadAnclaf(source: AnclafSource): Promise<LoadedAnclaf> {
  const { weights, origin, digest } = await weightsOf(source);
  const parameters = toParameters(weights);
  return { parameters, weights: origin, digest, dispose: () => disposeParameters(parameters) };
}

async function weightsOf(source: AnclafSource): Promise<{
  weights: Weights;
  origin: string;
  digest: string;
}> {
  const { preset, seed = 1 } = source;
  const checkpoint = checkpointFor(source);
  const sizes = presets[preset];
  const specs = [...generatorParameters(sizes), ...discriminatorParameters(sizes)];
  if (checkpoint === undefined) {
    const weights = initialise(specs, seed);
    return { weights, origin: `untrained (seed ${seed})`, digest: digestOf(encodeSafetensors(weights)) };
  }
  const read = await readCheckpoint(checkpoint);
  const parts = new Set(specs.map(({ name }) => partOf(name)));
  const own = new Map(Array.from(read.weights).filter(([name]) => parts.has(partOf(name)) || !PARTS.has(partOf(name))));
  const weights = conform(own, specs, `${checkpoint} (preset ${preset})`);
  const trainedOn = read.metadata.trainedOn;
  const origin = `checkpoint ${read.digest.slice(0, 12)}${trainedOn === undefined ? "" : `, trained on ${trainedOn}`}`;
  return { weights, origin, digest: read.digest };
}

/** ANCLaF's parts, which may share a file. */
const PARTS = new Set(["generator", "discriminator", "combiner"]);
const partOf = (name: string): string => name.split(".")[0]!;
