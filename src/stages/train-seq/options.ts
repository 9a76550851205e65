import { z } from "zod";
import { ENGINES, PROVIDERS } from "../../compile/types.ts";
import { PAPER_LENGTHS, SEQUENCE_MODELS } from "../../systems/anclaf/curriculum.ts";
import { ENCODER_STARTS, SEQUENCE_ATTENTIONS } from "../../systems/anclaf/presets.ts";

const length = z.int().min(2);
export const schema = z.strictObject({
  output: z.string().min(1).default("data/runs/train-seq").describe("folder that gets one folder a fold"),
  model: z
    .enum(SEQUENCE_MODELS)
    .default("anclaf-sa")
    .describe("a memory alone, or one that also attends to its former states; both begin with the memory"),
  n: length.default(8).describe("frames in a window"),
  curriculum: z
    .array(length)
    .default([...PAPER_LENGTHS])
    .describe("lengths that are trained on the way to n, each from the weights of the one before; none: [n]"),
  attention: z
    .enum(SEQUENCE_ATTENTIONS)
    .exclude(["none"])
    .default("location")
    .describe(
      "how anclaf-sa scores its former states: by themselves, as published, or beside the present one (Luong's)",
    ),
  everyLength: z
    .boolean()
    .default(false)
    .describe("train anclaf-sa at each length of the way, as the papers' tables have it, not at n alone"),
  controls: z
    .boolean()
    .default(false)
    .describe(
      "train what would explain a gain without attention: even weights, more steps, shuffled frames, no memory",
    ),
  steps: z
    .int()
    .positive()
    .optional()
    .describe(
      "iterations of each training on the way; default: 300 on features, 60 on latents, where each costs far more",
    ),
  seed: z.int().nonnegative().default(1).describe("decides weights and order"),
  batchFrames: z
    .int()
    .positive()
    .optional()
    .describe(
      "frames in a batch, which has as many windows as they fill; default: 4000 as published, 512 for preset small",
    ),
  learningRate: z.number().positive().optional().describe("Adam's rate; default: the preset's"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      "share of the features that a window is trained without; default: none as published, 0.5 for preset small",
    ),
  handOver: z
    .enum(["last", "best"])
    .optional()
    .describe(
      "weights that a training begins with, of the one before; default: last as published, best for preset small",
    ),
  encoder: z
    .enum(ENCODER_STARTS)
    .optional()
    .describe("on latents: fresh weights as published, or the frame model's, the default for preset small"),
  models: z
    .string()
    .min(1)
    .default("data/runs/train-anclaf")
    .describe("for clips of a fold: what train-anclaf wrote, of which each fold takes its own frame model"),
  checkpoint: z
    .string()
    .optional()
    .describe("for other latents: the frame model that made them; default: that of the package"),
  validateEvery: z.int().positive().default(50).describe("iterations between two looks at the validation people"),
  patience: z.int().positive().optional().describe("stop after so many looks without a better one; default: never"),
  engine: z.enum(ENGINES).default("auto").describe("what executes the training steps"),
  provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
  threads: z.int().positive().optional().describe("threads of the training steps; default: the machine's cores"),
});
/** To be raised whenever equal options on equal data train something else. */
export const VERSION = 3;

export type Options = z.output<typeof schema>;

/** Those of the second stage's settings that are options; without one, the preset decides. */
export const settingsIn = ({ batchFrames: frames, learningRate, dropout, handOver, encoder }: Options) => ({
  ...(frames !== undefined && { frames }),
  ...(learningRate !== undefined && { learningRate }),
  ...(dropout !== undefined && { dropout }),
  ...(handOver !== undefined && { handOver }),
  ...(encoder !== undefined && { encoder }),
});
