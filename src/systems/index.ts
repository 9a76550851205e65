import type { Program } from "../compile/index.ts";
import { PipeError } from "../errors.ts";
import { ANCLAF_PRESETS, type AnclafPreset, inputSide, presets } from "./anclaf/presets.ts";

/** A network ready to be compiled or exported. */
export interface BuiltNetwork {
  readonly program: Program;
  readonly inputs: Record<string, { readonly shape: readonly number[]; readonly dtype: "float32" | "uint8" }>;
  /** "untrained (seed N)" or "checkpoint <sha256's start>". */
  readonly weights: string;
  /** Frees the weights. */
  dispose(): void;
}

export interface NetworkOptions {
  readonly preset: string;
  /** A `.safetensors` file; without it the weights are seeded. */
  readonly checkpoint?: string;
  readonly seed?: number;
  /** Images in a batch, default 1. */
  readonly batch?: number;
}

export interface NetworkEntry {
  readonly summary: string;
  readonly presets: readonly string[];
  build(options: NetworkOptions): Promise<BuiltNetwork>;
}

/** Every network by name. TensorFlow.js loads when one is built, not before. */
export const networks: Record<string, NetworkEntry> = {
  "anclaf-encoder": {
    summary: "ANCLaF: uint8 RGB pixels of faces [B,128,128,3] → ZQ [B,C,H,W] and quadrant probabilities [B,4]",
    presets: ANCLAF_PRESETS,
    build: anclaf("pixels", "uint8", async (parameters, sizes) => {
      const { encoder } = await import("./anclaf/encoder.ts");
      return encoder(parameters, sizes, "onehot");
    }),
  },
  "anclaf-generator": {
    summary: "ANCLaF's G: RGB [B,S,S,3] in −1..1 → latent z [B,S/4,S/4,C] and the cleaned reconstruction",
    presets: ANCLAF_PRESETS,
    build: anclaf("image", "float32", async (parameters) => {
      const { generator } = await import("./anclaf/networks.ts");
      return ({ image }) => ({ ...generator(parameters, image as Image) });
    }),
  },
  "anclaf-discriminator": {
    summary: "ANCLaF's D: RGB [B,S,S,3] in −1..1 → patch score [B,2,2,1] and quadrant logits [B,4]",
    presets: ANCLAF_PRESETS,
    build: anclaf("image", "float32", async (parameters, sizes) => {
      const { discriminator } = await import("./anclaf/networks.ts");
      return ({ image }) => ({ ...discriminator(parameters, sizes, image as Image) });
    }),
  },
};

type Image = import("../nn/layers.ts").Activation;
type Parameters = import("../nn/parameters.ts").Parameters;

function anclaf(
  input: string,
  dtype: "float32" | "uint8",
  program: (parameters: Parameters, sizes: (typeof presets)[AnclafPreset]) => Promise<Program>,
): NetworkEntry["build"] {
  return async ({ preset, checkpoint, seed, batch = 1 }) => {
    const known = anclafPreset(preset);
    const { loadAnclaf } = await import("./anclaf/load.ts");
    const { parameters, weights, dispose } = await loadAnclaf({ preset: known, checkpoint, seed });
    const side = input === "pixels" ? inputSide(presets[known]) : presets[known].image;
    return {
      program: await program(parameters, presets[known]),
      inputs: { [input]: { shape: [batch, side, side, 3], dtype } },
      weights,
      dispose,
    };
  };
}

function anclafPreset(name: string): AnclafPreset {
  const known = ANCLAF_PRESETS.find((preset) => preset === name);
  if (known !== undefined) return known;
  throw new PipeError(`There is no preset "${name}" of ANCLaF.`, { hint: `Presets: ${ANCLAF_PRESETS.join(", ")}.` });
}
