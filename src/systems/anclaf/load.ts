import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { digestOf } from "../../digest.ts";
import { readCheckpoint } from "../../nn/checkpoint.ts";
import { initialise } from "../../nn/init.ts";
import { disposeParameters, type Parameters, toParameters } from "../../nn/parameters.ts";
import { encodeSafetensors } from "../../nn/safetensors.ts";
import { conform, type ParameterSpec, type Weights } from "../../nn/weights.ts";
import { discriminatorParameters, generatorParameters } from "./networks.ts";
import { type AnclafPreset, type AnclafSizes, presets, ZQ_FORMS, type ZqForm, zqShape } from "./presets.ts";

/** ANCLaF's networks with their weights. */
export interface LoadedAnclaf {
  /** `generator.*` and `discriminator.*`, or whichever were asked for; freed by `dispose`. */
  readonly parameters: Parameters;
  /**
   * Where the numbers come from: "untrained (seed 1)", or "checkpoint 0123456789ab", the start of the file's sha256, with
   * what it was trained on where the file says so.
   */
  readonly weights: string;
  /** sha256, hex, of the checkpoint file, or of the file that the untrained weights would make. */
  readonly digest: string;
  /** How Q is joined to Z for the combiner that the checkpoint has; `onehot` where it has none. */
  readonly form: ZqForm;
  /** What the checkpoint says of itself; nothing if untrained. */
  readonly notes: Readonly<Record<string, string>>;
  dispose(): void;
}

export interface AnclafSource {
  readonly preset: AnclafPreset;
  /** A `.safetensors` file; parts that are not asked for (a combiner beside G and D) are passed over. */
  readonly checkpoint?: string | undefined;
  /** Without a checkpoint: fresh weights of this seed. Without either: the bundled checkpoint, or else seed 1. */
  readonly seed?: number | undefined;
}

/** What a network has, by its sizes, the form of its ZQ, and the parameters' names of the checkpoint if there is one. */
export type AnclafSpecs = (sizes: AnclafSizes, form: ZqForm, names: ReadonlySet<string>) => ParameterSpec[];

/** The checkpoint that is used when none is named: one that comes with this package, if it has one for the preset. */
export function checkpointFor({ preset, checkpoint, seed }: AnclafSource): string | undefined {
  if (checkpoint !== undefined || seed !== undefined) return checkpoint;
  return bundled("anclaf", preset);
}

/** Weights that come with this package, if it has such. */
export function bundled(model: string, preset: AnclafPreset = "small"): string | undefined {
  const path = fileURLToPath(new URL(`../../../data/models/${model}-${preset}.safetensors`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

/**
 * @param specsOf the parameters that are wanted; G's and D's by default.
 *
 * Throws a PipeError when the checkpoint cannot be read, is damaged, or does not fit the preset, naming each tensor.
 */
export async function loadAnclaf(source: AnclafSource, specsOf: AnclafSpecs = latentSpecs): Promise<LoadedAnclaf> {
  const { numbers, ...about } = await read(source, specsOf);
  const parameters = toParameters(numbers);
  return { parameters, ...about, dispose: () => disposeParameters(parameters) };
}

const latentSpecs: AnclafSpecs = (sizes) => [...generatorParameters(sizes), ...discriminatorParameters(sizes)];

type Read = Omit<LoadedAnclaf, "parameters" | "dispose"> & { readonly numbers: Weights };

async function read(source: AnclafSource, specsOf: AnclafSpecs): Promise<Read> {
  const { preset, seed = 1 } = source;
  const checkpoint = checkpointFor(source);
  const sizes = presets[preset];
  if (checkpoint === undefined) {
    const numbers = initialise(specsOf(sizes, "onehot", new Set()), seed);
    const digest = digestOf(encodeSafetensors(numbers));
    return { numbers, weights: `untrained (seed ${seed})`, digest, form: "onehot", notes: {} };
  }
  const { weights, metadata: notes, digest } = await readCheckpoint(checkpoint);
  const form = formIn(weights, sizes);
  const specs = specsOf(sizes, form, new Set(weights.keys()));
  const parts = new Set(specs.map(({ name }) => partOf(name)));
  const own = new Map(Array.from(weights).filter(([name]) => parts.has(partOf(name)) || !PARTS.has(partOf(name))));
  const numbers = conform(own, specs, `${checkpoint} (preset ${preset})`);
  const { trainedOn } = notes;
  const origin = `checkpoint ${digest.slice(0, 12)}${trainedOn === undefined ? "" : `, trained on ${trainedOn}`}`;
  return { numbers, weights: origin, digest, form, notes };
}

/** By the channels that the combiner reads. */
function formIn(weights: Weights, sizes: AnclafSizes): ZqForm {
  const channels = weights.get("combiner.c1.weight")?.shape[1];
  return ZQ_FORMS.find((form) => zqShape(sizes, form)[0] === channels) ?? "onehot";
}

/** ANCLaF's parts, which may share a file. */
const PARTS = new Set(["generator", "discriminator", "combiner"]);
const partOf = (name: string): string => name.split(".")[0]!;
