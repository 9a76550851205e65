import { resolve } from "node:path";
import { z } from "zod";
import { ENGINES, PROVIDERS } from "../compile/types.ts";
import { canonical, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { inBatches } from "../nn/batches.ts";
import { type Crop, type Prediction, subjectOf } from "../records.ts";
import { ANCLAF_PRESETS } from "../systems/anclaf/presets.ts";
import { onnxSpecSchema } from "../systems/onnx/spec.ts";
import type { Pace } from "../systems/pace.ts";
import type { FaceScore, Scorer } from "../systems/scoring.ts";
import { trackScores } from "../systems/track-scores.ts";
import { faceQuality } from "../vision/face-quality.ts";
import { asPlanned } from "./as-planned.ts";
import { type Context, defineStage } from "./define.ts";

const options = z.strictObject({
  model: z
    .string()
    .min(1)
    .default("anclaf-frame")
    .describe(
      "anclaf-frame, anclaf-s, anclaf-sa, or the path of an .onnx file of your own with a .yaml of the same name beside it",
    ),
  spec: onnxSpecSchema
    .optional()
    .describe("instead of the .yaml beside an .onnx file: how it is fed and what its outputs are"),
  preset: z
    .enum(ANCLAF_PRESETS)
    .default("small")
    .describe("anclaf-frame: the paper's networks, or the same at half the resolution"),
  checkpoint: z
    .string()
    .optional()
    .describe("ANCLaF: trained weights, a .safetensors file; default for anclaf-frame: the one of the package"),
  encoder: z
    .string()
    .optional()
    .describe("anclaf-s, anclaf-sa: the frame model whose latents it was trained on; default: that of the package"),
  gap: z
    .number()
    .nonnegative()
    .default(200)
    .describe(
      "models of several frames: milliseconds without a face after which a window begins anew; at least one and a half usual intervals of the frames",
    ),
  stride: z
    .int()
    .min(1)
    .default(1)
    .describe(
      "models of several frames: from one window to the next; 1: each face is scored by the window that ends with it, with all the frames before it that the model can use. Where frames are closer than the steps that the model was trained on, always 1",
    ),
  batch: z.int().min(1).max(256).default(16).describe("crops in one run of the networks"),
  engine: z.enum(ENGINES).default("auto").describe("what executes the networks"),
  provider: z.enum(PROVIDERS).default("cpu").describe("ONNX Runtime's execution provider"),
  threads: z.int().positive().optional().describe("threads of the networks; default: the machine's cores"),
});
type Options = z.output<typeof options>;

/**
 * What a trained model says of every face, in the crops' order; rows without pixels pass through with nothing said.
 * Batches reach across frames and tracks; while one is in the worker the next fills.
 */
export default defineStage({
  name: "predict-affect",
  summary: "crop* → prediction*: valence, arousal and what else a trained model says of each face",
  version: 3,
  takes: "crop",
  gives: "prediction",
  options,
  // Models count by their bytes, and specs by what they say, not by where they lie.
  runtime: ["model", "spec", "checkpoint", "encoder", "batch", "engine", "provider", "threads"],
  async models({
    model,
    spec,
    preset,
    checkpoint,
    encoder,
    batch,
    engine,
    provider,
    threads,
  }): Promise<Record<string, string>> {
    if (isOnnx(model)) {
      const { checkOnnx, onnxDigests } = await import("../systems/onnx/scoring.ts");
      const digests = await onnxDigests(model, spec);
      await checkOnnx(resolve(model), { batch, engine, provider, threads }, spec);
      return digests;
    }
    const name = nameOf(model);
    if (name !== "anclaf-frame") {
      const { anclafSequenceDigests } = await import("../systems/anclaf/sequence-scoring.ts");
      return anclafSequenceDigests({ model: name, checkpoint, encoder });
    }
    const { anclafFrameDigest } = await import("../systems/anclaf/scoring.ts");
    return { [name]: await anclafFrameDigest({ preset, checkpoint }) };
  },
  run: (options, context) =>
    async function* (crops) {
      const scorer = await context.shared(`predict-affect ${canonical(options as unknown as Json)}`, () =>
        open(options, context),
      );
      asPlanned(context, scorer.models);
      context.facts.model = scorer.about;
      context.facts.engine = scorer.engine;
      context.facts.scale = { ...scorer.scale };
      context.facts.trainedOn = scorer.trainedOn ?? "unknown: the model does not say";
      if (scorer.caution !== null) context.facts.caution = scorer.caution;
      for await (const [crop, score] of scoresOf(crops, scorer, options, context)) yield predictionOf(crop, score);
    },
});

async function open(options: Options, context: Context): Promise<Scorer> {
  const scorer = await scorerOf(options);
  for (const note of [scorer.caution ?? [], scorer.notes].flat()) context.note(note);
  return scorer;
}

async function scorerOf(options: Options): Promise<Scorer> {
  const { model, spec, preset, checkpoint, encoder, batch, engine, provider, threads } = options;
  const run = { batch, engine, provider, threads };
  if (isOnnx(model)) return (await import("../systems/onnx/scoring.ts")).openOnnxScorer(resolve(model), run, spec);
  const name = nameOf(model);
  if (name === "anclaf-frame")
    return (await import("../systems/anclaf/scoring.ts")).openAnclafFrame({ preset, checkpoint }, run);
  const { openAnclafSequence } = await import("../systems/anclaf/sequence-scoring.ts");
  return openAnclafSequence({ model: name, checkpoint, encoder }, run);
}

function scoresOf(
  crops: AsyncIterable<Crop>,
  scorer: Scorer,
  { batch, gap, stride }: Options,
  context: Context,
): AsyncIterable<readonly [Crop, FaceScore | null]> {
  const inOrder = <Encoded>(encode: (faces: readonly NonNullable<Crop["image"]>[]) => Promise<readonly Encoded[]>) =>
    inBatches(crops, {
      size: batch,
      wants: ({ status }: Crop) => status === "ok",
      run(own: readonly Crop[]) {
        context.signal.throwIfAborted();
        return encode(own.map(({ image }) => image!));
      },
    });
  if (scorer.kind === "frame") return inOrder((faces) => scorer.encode(faces));
  return trackScores(
    inOrder((faces) => scorer.encode(faces)),
    scorer,
    { gap: gap * 1000, stride: Math.min(stride, scorer.n), paced: (pace) => sayPace(pace, context) },
  );
}

/** Keeps with the result how frames became steps, and warns where the model is asked outside of its rate. */
function sayPace({ frames, steps, way }: Pace, { facts, warn }: Context): void {
  const ms = (micros: number) => Math.round(micros / 10) / 100;
  facts.pace = { way, framesMs: Number.isNaN(frames) ? null : ms(frames), stepsMs: steps === null ? null : ms(steps) };
  if (way === "coarse")
    warn(
      `Its frames are ${ms(frames)} ms apart, and the model was trained on steps of ${ms(steps!)} ms: these are the answers of a model outside of its rate.`,
    );
}

function predictionOf(crop: Crop, score: FaceScore | null): Prediction {
  const { box, landmarks, image } = crop;
  return {
    kind: "prediction",
    ...subjectOf(crop),
    valence: score?.valence ?? null,
    arousal: score?.arousal ?? null,
    quadrant: score?.quadrant ?? null,
    confidence: score?.confidence ?? null,
    entropy: score?.entropy ?? null,
    expression: score?.expression ?? null,
    quality: image && box && faceQuality(box, landmarks, image),
    image,
  };
}

const NAMES = ["anclaf-frame", "anclaf-s", "anclaf-sa"] as const;
const isOnnx = (model: string): boolean => /\.onnx$/i.test(model);

function nameOf(model: string): (typeof NAMES)[number] {
  const known = NAMES.find((name) => name === model);
  if (known !== undefined) return known;
  throw new PipeError(`There is no model "${model}".`, {
    hint: `Models: ${NAMES.join(", ")}; or the path of an .onnx file of your own, which ends in .onnx.`,
  });
}
