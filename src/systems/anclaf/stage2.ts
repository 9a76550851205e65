import * as tf from "@tensorflow/tfjs-core";
import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import { affectLosses } from "../../nn/affect-loss.ts";
import type { FitOptions } from "../../nn/fit.ts";
import type { Activation } from "../../nn/layers.ts";
import { adam } from "../../nn/optimisers.ts";
import { type Parameters, scope } from "../../nn/parameters.ts";
import { cosine } from "../../nn/schedules.ts";
import type { ParameterSpec } from "../../nn/weights.ts";
import { combinerEncoder, combinerParameters, featureSize } from "./combiner.ts";
import type { AnclafPreset, EncoderStart } from "./presets.ts";
import { type SequenceScore, sequenceHead, sequenceHeadParameters, sequenceParameters } from "./sequence.ts";
import { inputShape, type SequenceInput } from "./sequence-input.ts";

/**
 * What is made of a window: C-S (a memory), C-SA (which also attends to its former states), and two controls: C-SA whose
 * weights are all alike, 1 / (t − 1), and the frame combiner, which has no memory.
 */
export const SEQUENCE_VARIANTS = ["s", "sa", "uniform", "frame"] as const;
export type SequenceVariant = (typeof SEQUENCE_VARIANTS)[number];

/** How the second stage is trained. */
export interface Stage2Settings {
  /** Frames in a batch: it has ⌊frames / n⌋ windows, at least one. */
  readonly frames: number;
  /** Of Adam; betas are 0.5 and 0.999. */
  readonly learningRate: number;
  /** Whether the rate stays, or falls to 0 along half a cosine over the whole training. */
  readonly schedule: "constant" | "cosine";
  /**
   * Share of the encoder's features that a window is trained without, the same ones at all its steps (Gal and Ghahramani
   * 2016); the others are made larger by as much.
   */
  readonly dropout: number;
  /** Which weights of a training the next one begins with: its last ones, or the best on the validation people. */
  readonly handOver: "last" | "best";
  /** What the encoder begins as, on latents: fresh weights, or the frame combiner that was trained with them. */
  readonly encoder: EncoderStart;
}

export const stage2Presets: Record<AnclafPreset, Stage2Settings> = {
  /** The published code's. */
  paper: {
    frames: 4000,
    learningRate: 1e-4,
    schedule: "constant",
    dropout: 0,
    handOver: "last",
    encoder: "fresh",
  },
  /**
   * For a few cores, hundreds of iterations and some ten thousand frames, which a network of this size learns by heart:
   * without the last three, each length began with what the one before had learned by heart.
   */
  small: {
    frames: 512,
    learningRate: 3e-4,
    schedule: "cosine",
    dropout: 0.5,
    handOver: "best",
    encoder: "frame",
  },
};

/** The affect loss's terms, weight 1 each. */
export const STAGE2_WEIGHTS = { rmse: 1, cor: 1, ccc: 1, icc: 1 } as const;

export interface Stage2Options extends Partial<Stage2Settings> {
  readonly variant: SequenceVariant;
  /** What C-SA scores its former states by; of no account to the others. Default location. */
  readonly attention?: SequenceScore;
  readonly input: SequenceInput;
  /** Steps in a window. */
  readonly n: number;
  /** Of the whole training, which a falling rate needs. */
  readonly iterations: number;
}

/** What `fit` needs of the second stage, apart from data, folder and length. */
export interface Stage2 extends Required<Pick<FitOptions, "parts" | "phases" | "programs" | "config">> {
  readonly parts: { readonly combiner: readonly ParameterSpec[] };
  readonly settings: Stage2Settings;
  /** Windows in a batch. */
  readonly batch: number;
}

/**
 * Stage 2 (ANCLaF §3.3, §4): the combiner alone learns, from windows of n frames of frozen latents, the state fresh at
 * each window's begin. The loss is over all frames of a batch at once that are there and have a label.
 *
 * The phase `combiner` takes the feeds of `windowBatches`, among them `kept` [B, {@link featureSize}] where there is dropout;
 * the program `predict` gives `affect` [B, n, 2] for `values`
 * and `present`.
 */
export function stage2(options: Stage2Options): Stage2 {
  const { variant, attention, input, n, iterations } = options;
  const model: SequenceNetwork = { variant, input, ...(attention && { attention }) };
  const settings = stage2Settings(input.preset, options);
  const { frames, learningRate, schedule, dropout } = settings;
  if (!Number.isInteger(n) || n < 1) throw new PipeError(`A window cannot have ${n} steps.`);
  if (!(dropout >= 0 && dropout < 1)) throw new PipeError(`dropout is a share from 0 to below 1, not ${dropout}.`);
  const rate = schedule === "cosine" ? cosine(learningRate, { length: iterations }) : learningRate;
  const batch = Math.max(1, Math.floor(frames / n));
  return {
    parts: { combiner: variantParameters(model) },
    phases: [
      {
        name: "combiner",
        trains: ["combiner"],
        optimiser: adam({ learningRate: rate, betas: [0.5, 0.999] }),
        weights: STAGE2_WEIGHTS,
        losses: ({ combiner }, { values, present, labels, weights, kept }) => {
          const { affect } = windowAffect(model, combiner!, values!, present as tf.Tensor2D, kept as tf.Tensor2D);
          const flat = (x: tf.Tensor) => tf.reshape(x, [-1, 2]) as tf.Tensor2D;
          return { ...affectLosses(flat(affect), flat(labels!), flat(weights!)) };
        },
      },
    ],
    programs: {
      predict: ({ combiner }, { values, present }) => {
        const { affect } = windowAffect(model, combiner!, values!, present as tf.Tensor2D);
        return { affect };
      },
    },
    settings,
    batch,
    config: {
      variant,
      attention: scoreOf(model),
      input: { kind: input.kind, shape: [...inputShape(input)] },
      n,
      batch,
      dropout,
    } as Json,
  };
}

/** Which network reads the windows, and what their steps are. */
export interface SequenceNetwork extends Pick<Stage2Options, "variant" | "attention" | "input"> {}

/** Only C-SA has a choice. */
const scoreOf = ({ variant, attention = "location" }: SequenceNetwork): SequenceScore =>
  variant === "sa" ? attention : "location";

/**
 * The parameters of a variant on its input; all are in one part, `combiner`. C-S, C-SA and its control have the same,
 * unless C-SA scores by `concat`.
 */
export function variantParameters(network: SequenceNetwork): ParameterSpec[] {
  const { variant, input } = network;
  const attention = scoreOf(network);
  if (variant !== "frame")
    return input.kind === "latents"
      ? sequenceParameters(input.sizes, input.form, attention)
      : sequenceHeadParameters(input.sizes, attention);
  if (input.kind === "latents") return combinerParameters(input.sizes, input.form);
  const fanIn = featureSize(input.sizes);
  return [
    { name: "combiner.head.weight", shape: [2, fanIn], start: { uniform: { fanIn } } },
    { name: "combiner.head.bias", shape: [2], start: "zeros" },
  ];
}

/** What a variant says of windows. */
export interface WindowAffect {
  /** Valence, arousal of each step [B, n, 2], −1..1 as scaled in training; of a missing step it means nothing. */
  readonly affect: tf.Tensor3D;
  /** Weight of state i in the context of step t [B, n, n], for i < t; null where there is no attention. */
  readonly attention: tf.Tensor3D | null;
}

/**
 * `values` [B, n, ...{@link inputShape}], channel-first as they are stored; `present` [B, n], not 0 where a step is there;
 * `kept` [B, {@link featureSize}], what a window's features are multiplied by, in training alone.
 */
export function windowAffect(
  network: SequenceNetwork,
  parameters: Parameters,
  values: tf.Tensor,
  present: tf.Tensor2D,
  kept?: tf.Tensor2D,
): WindowAffect {
  const { variant, input } = network;
  const [batch, n] = present.shape;
  const all = tf.reshape(featuresOf(input, parameters, values, batch * n), [batch, n, featureSize(input.sizes)]);
  const features = kept === undefined ? all : tf.mul(all, tf.expandDims(kept, 1));
  if (variant === "frame") return { affect: frameAffect(parameters, features as tf.Tensor3D), attention: null };
  const { affect, attention } = sequenceHead(
    variant === "uniform" ? withEvenAttention(parameters) : parameters,
    features as tf.Tensor3D,
    {
      attend: variant !== "s",
      attention: scoreOf(network),
      present: tf.cast(present, "bool") as tf.Tensor2D,
    },
  );
  return { affect, attention };
}

/** [rows, {@link featureSize}] */
function featuresOf(input: SequenceInput, parameters: Parameters, values: tf.Tensor, rows: number): tf.Tensor {
  if (input.kind === "features") return values;
  const image = tf.reshape(values, [rows, ...inputShape(input)]);
  return combinerEncoder(parameters, tf.transpose(image, [0, 2, 3, 1]) as Activation);
}

function frameAffect(parameters: Parameters, features: tf.Tensor3D): tf.Tensor3D {
  const [batch, n, size] = features.shape;
  const head = scope(parameters, "combiner.head");
  const rows = tf.matMul(tf.reshape(features, [batch * n, size]), head<tf.Tensor2D>("weight"), false, true);
  return tf.reshape(tf.add(rows, head<tf.Tensor1D>("bias")), [batch, n, 2]) as tf.Tensor3D;
}

/** Scores that are all 0 make weights that are all alike. */
function withEvenAttention(parameters: Parameters): Parameters {
  const name = "combiner.attention.weight";
  return new Map(parameters).set(name, tf.zeros(parameters.get(name)!.shape));
}

/** The preset's settings, but for those that are given. */
export function stage2Settings(preset: AnclafPreset, given: Partial<Stage2Settings>): Stage2Settings {
  const known = stage2Presets[preset];
  const own = Object.keys(known).flatMap((name) => {
    const value = given[name as keyof Stage2Settings];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...known, ...Object.fromEntries(own) };
}
