import type { Program } from "../compile/index.ts";
import { PipeError } from "../errors.ts";
import type { AnclafSource, AnclafSpecs, LoadedAnclaf } from "./anclaf/load.ts";
import type { SequenceSource } from "./anclaf/load-sequence.ts";
import {
  ANCLAF_PRESETS,
  type AnclafPreset,
  type AnclafSizes,
  inputSide,
  presets,
  SEQUENCE_ATTENTIONS,
  type SequenceAttention,
  zqShape,
} from "./anclaf/presets.ts";

/** A network ready to be compiled or exported. */
export interface BuiltNetwork {
  readonly program: Program;
  /** An axis of any length is a name. */
  readonly inputs: Record<
    string,
    { readonly shape: readonly (number | string)[]; readonly dtype: "float32" | "uint8" }
  >;
  /** "untrained (seed N)" or "checkpoint <sha256's start>", with what it was trained on. */
  readonly weights: string;
  /** For an exported file to say of itself: preset, sha256 of the weights, what they were trained on. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Frees the weights. */
  dispose(): void;
}

export interface NetworkOptions {
  readonly preset: string;
  /** A `.safetensors` file; without it and a seed the bundled one of the preset. */
  readonly checkpoint?: string;
  /** Of untrained weights. */
  readonly seed?: number;
  /** Images, or windows, in a batch; default: any number. */
  readonly batch?: number;
  /** Frames in a window, for networks of sequences; default: what the checkpoint says, or 8. */
  readonly n?: number;
  /** What a network of sequences attends with; default: what its checkpoint says, or `location` where it is seeded. */
  readonly attention?: string;
  /** For networks of sequences that were trained on features: the frame model that made them; default: the package's. */
  readonly encoder?: string;
}

export interface NetworkEntry {
  readonly summary: string;
  readonly presets: readonly string[];
  /** The options that it knows beside those which all know. */
  readonly knows?: readonly ("n" | "attention" | "encoder")[];
  build(options: NetworkOptions): Promise<BuiltNetwork>;
}

/** Every network by name. TensorFlow.js loads when one is built, not before. */
export const networks: Record<string, NetworkEntry> = {
  "anclaf-encoder": {
    summary: "ANCLaF: uint8 RGB pixels of faces [N,128,128,3] → ZQ [N,C,H,W] and quadrant probabilities [N,4]",
    presets: ANCLAF_PRESETS,
    build: anclaf(async ({ parameters }, sizes) => {
      const { encoder } = await import("./anclaf/encoder.ts");
      return { program: encoder(parameters, sizes, "onehot"), inputs: pixels(sizes) };
    }),
  },
  "anclaf-frame": {
    summary: "frame ANCLaF, all of it: uint8 RGB pixels of faces [N,128,128,3] → ZQ, quadrant, valence and arousal [N]",
    presets: ANCLAF_PRESETS,
    build: anclaf(
      async ({ parameters, form }, sizes) => {
        const { frame } = await import("./anclaf/frame.ts");
        return { program: frame(parameters, sizes, form), inputs: pixels(sizes), metadata: { zq: form, ...AFFECT } };
      },
      async (source) => loaded(source, (await import("./anclaf/frame.ts")).frameParameters),
    ),
  },
  "anclaf-sequence": {
    summary: "ANCLaF-S and -SA: windows of ZQ [N,n,C,H,W] → valence and arousal [N,n,2], attention [N,n,n]",
    presets: ANCLAF_PRESETS,
    knows: ["n", "attention", "encoder"],
    build: anclaf(
      async ({ parameters, form, notes }, sizes, options) => {
        const { sequenceWindow } = await import("./anclaf/window.ts");
        const { CONCAT } = await import("./anclaf/load-sequence.ts");
        const n = options.n ?? (Number(notes.n) || 8);
        const attention = attentionOf(options, notes, parameters.has(CONCAT));
        return {
          program: sequenceWindow(parameters, attention),
          inputs: { zq: { shape: [n, ...zqShape(sizes, form)], dtype: "float32" } },
          metadata: { zq: form, n: `${n}`, attention, ...AFFECT },
        };
      },
      async (source) => (await import("./anclaf/load-sequence.ts")).loadSequence(source),
    ),
  },
  "anclaf-generator": {
    summary: "ANCLaF's G: RGB [N,S,S,3] in −1..1 → latent z [N,S/4,S/4,C] and the cleaned reconstruction",
    presets: ANCLAF_PRESETS,
    build: anclaf(async ({ parameters }, sizes) => {
      const { generator } = await import("./anclaf/networks.ts");
      return { program: ({ image }) => ({ ...generator(parameters, image as Image) }), inputs: imageOf(sizes) };
    }),
  },
  "anclaf-discriminator": {
    summary: "ANCLaF's D: RGB [N,S,S,3] in −1..1 → patch score [N,2,2,1] and quadrant logits [N,4]",
    presets: ANCLAF_PRESETS,
    build: anclaf(async ({ parameters }, sizes) => {
      const { discriminator } = await import("./anclaf/networks.ts");
      const program: Program = ({ image }) => ({ ...discriminator(parameters, sizes, image as Image) });
      return { program, inputs: imageOf(sizes) };
    }),
  },
};

type Image = import("../nn/layers.ts").Activation;

/** A program and its inputs' shapes for one sample. */
type Sketch = Pick<BuiltNetwork, "program"> &
  Partial<Pick<BuiltNetwork, "metadata">> & {
    readonly inputs: Record<string, { readonly shape: readonly number[]; readonly dtype: "float32" | "uint8" }>;
  };

const pixels = (sizes: AnclafSizes): Sketch["inputs"] => ({
  pixels: { shape: [inputSide(sizes), inputSide(sizes), 3], dtype: "uint8" },
});
const imageOf = ({ image }: AnclafSizes): Sketch["inputs"] => ({
  image: { shape: [image, image, 3], dtype: "float32" },
});

/** What the inputs hold, by name: for an exported file to say. */
const MEANS: Readonly<Record<string, string>> = {
  pixels: "rows of RGB bytes 0..255 of a face cut by 68 landmarks; no normalisation",
  image: "rows of RGB, byte / 127.5 - 1, so -1..1",
  zq: "ZQ of the n faces of a window in order, channel-first, as anclaf-encoder and anclaf-frame give it",
};
/** What valence and arousal are, beside the range of the labels. */
const AFFECT = {
  affect: "-1..1 as scaled in training; label = low + (x + 1) / 2 * (high - low), with low and high of range",
};

function anclaf(
  sketch: (loaded: LoadedAnclaf, sizes: AnclafSizes, options: NetworkOptions) => Promise<Sketch>,
  load: (source: SequenceSource) => Promise<LoadedAnclaf> = loaded,
): NetworkEntry["build"] {
  return async (options) => {
    const { checkpoint, seed, batch = "batch", attention, encoder } = options;
    const preset = anclafPreset(options.preset);
    const { parameters, dispose, ...about } = await load({ preset, checkpoint, seed, attention, encoder });
    try {
      const { program, inputs, metadata } = await sketch({ parameters, dispose, ...about }, presets[preset], options);
      const batched = Object.entries(inputs).map(([name, { shape, dtype }]) => {
        return [name, { shape: [batch, ...shape], dtype }] as const;
      });
      const described = Object.entries(inputs).map(([name, { shape, dtype }]) => [
        `input.${name}`,
        `${dtype} [${[batch, ...shape].join(", ")}]: ${MEANS[name]}`,
      ]);
      const written = { preset, ...aboutWeights(about), ...metadata, ...Object.fromEntries(described) };
      return { program, inputs: Object.fromEntries(batched), weights: about.weights, metadata: written, dispose };
    } catch (error) {
      dispose();
      throw error;
    }
  };
}

/** Weights that are named, or that come with the package; untrained ones for a seed alone. */
async function loaded(source: AnclafSource, specs?: AnclafSpecs): Promise<LoadedAnclaf> {
  const { checkpointFor, loadAnclaf } = await import("./anclaf/load.ts");
  if (checkpointFor(source) === undefined && source.seed === undefined)
    throw new PipeError(`No trained weights come with this package for the preset ${source.preset}.`, {
      hint: "Take the preset small, or name a checkpoint, or a seed for untrained weights: --checkpoint FILE, --seed N",
    });
  return loadAnclaf(source, specs);
}

/** What the weights are, and what of the checkpoint's own notes a user of an exported file should know. */
function aboutWeights({
  weights,
  digest,
  notes,
}: Omit<LoadedAnclaf, "parameters" | "dispose">): Record<string, string> {
  const untrained = weights.startsWith("untrained");
  const { trainedOn = untrained ? "nothing" : "unknown: the checkpoint does not say", fold, metrics } = notes;
  const kept = Object.entries(notes).filter(([name]) => ["range", "encoder"].includes(name) || /^interval/.test(name));
  return {
    weights,
    sha256: digest,
    trainedOn,
    ...(fold && { fold }),
    ...(metrics && { metrics }),
    ...Object.fromEntries(kept),
  };
}

function anclafPreset(name: string): AnclafPreset {
  const known = ANCLAF_PRESETS.find((preset) => preset === name);
  if (known !== undefined) return known;
  throw new PipeError(`There is no preset "${name}" of ANCLaF.`, { hint: `Presets: ${ANCLAF_PRESETS.join(", ")}.` });
}

/** C-S and C-SA have the same tensors, but for `concat`: which a checkpoint is, only its notes can say, or the user. */
function attentionOf(
  { attention: asked, checkpoint }: NetworkOptions,
  notes: Readonly<Record<string, string>>,
  isConcat: boolean,
): SequenceAttention {
  const otherwise = isConcat ? "concat" : checkpoint === undefined || notes.variant === "sa" ? "location" : undefined;
  const name = asked ?? (notes.variant === "s" ? "none" : (notes.attention ?? otherwise));
  if (notes.variant !== undefined && !["s", "sa"].includes(notes.variant))
    throw new PipeError(`${checkpoint} is of the variant "${notes.variant}", which cannot be exported.`);
  const hint = `Give attention as one of ${SEQUENCE_ATTENTIONS.join(", ")}.`;
  if (name === undefined) throw new PipeError(`${checkpoint} does not say whether it was trained to attend.`, { hint });
  const known = SEQUENCE_ATTENTIONS.find((attention) => attention === name);
  if (known === undefined) throw new PipeError(`There is no attention "${name}" of ANCLaF.`, { hint });
  if (known !== "none" && (known === "concat") !== isConcat)
    throw new PipeError(`${checkpoint} has not the parameters of the attention "${name}".`, { hint });
  return known;
}
