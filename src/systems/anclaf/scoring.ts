import { z } from "zod";
import { PipeError } from "../../errors.ts";
import { readCheckpoint } from "../../nn/checkpoint.ts";
import type { Image } from "../../records.ts";
import { type FaceScore, type FrameScorer, type Scale, type ScorerRun, UNIT_SCALE } from "../scoring.ts";
import { drawnCaution } from "../trained-on.ts";
import { checkpointFor } from "./load.ts";
import { openPredictor, type Predictor } from "./predict.ts";
import { type AnclafPreset, type AnclafSizes, inputSide, presets, QUADRANTS, ZQ_FORMS } from "./presets.ts";

export interface AnclafScorerSource {
  readonly preset: AnclafPreset;
  /** `generator.*`, `discriminator.*` and `combiner.*` in one `.safetensors` file; default: that of the package. */
  readonly checkpoint?: string | undefined;
}

/** sha256 of the checkpoint that {@link openAnclafFrame} would read. Throws a PipeError when there is none. */
export async function anclafFrameDigest(source: AnclafScorerSource): Promise<string> {
  return (await readCheckpoint(pathOf(source))).digest;
}

/**
 * Frame ANCLaF (eq. 3) as a scorer: native units are those of the checkpoint's labels where its notes name a `range`
 * (`{"valence":[low,high],"arousal":[low,high]}`), −1..1 otherwise. Confidence is the likeliest quadrant's probability.
 */
export async function openAnclafFrame(source: AnclafScorerSource, run: ScorerRun): Promise<FrameScorer> {
  const path = pathOf(source);
  const { weights, metadata, digest } = await readCheckpoint(path);
  const scale = scaleIn(metadata.range, path);
  const { batch, engine, provider, threads } = run;
  const sizes = presets[source.preset];
  const predictor = openPredictor({
    sizes,
    form: ZQ_FORMS.find((form) => form === metadata.zq) ?? "onehot",
    weights,
    source: `${path} (preset ${source.preset})`,
    range: scale,
    batch,
    engine,
    provider,
    ...(threads !== undefined && { threads }),
  });
  return {
    kind: "frame",
    models: { "anclaf-frame": digest },
    about: `anclaf-frame (${source.preset}), checkpoint ${digest.slice(0, 12)}${trainedOn(metadata)}`,
    engine: { ...predictor.engine },
    scale,
    trainedOn: metadata.trainedOn ?? null,
    caution: drawnCaution("anclaf-frame", metadata.trainedOn),
    notes: [],
    encode: (faces) => scoresOf(predictor, faces, sizes),
    [Symbol.asyncDispose]: () => predictor[Symbol.asyncDispose](),
  };
}

async function scoresOf(predictor: Predictor, faces: readonly Image[], sizes: AnclafSizes): Promise<FaceScore[]> {
  const side = inputSide(sizes);
  const pixels = new Uint8Array(faces.length * side * side * 3);
  faces.forEach(({ width, height, data }, i) => {
    if (width !== side || height !== side)
      throw new PipeError(`ANCLaF takes crops of ${side}×${side} pixels; this one is ${width}×${height}.`, {
        hint: `Set the crop stage's size to ${side}.`,
      });
    pixels.set(data, i * side * side * 3);
  });
  const { valence, arousal, quadrant } = await predictor.predict(pixels);
  return faces.map((_, i) => {
    const q = quadrant.slice(i * QUADRANTS, (i + 1) * QUADRANTS);
    return {
      valence: valence[i]!,
      arousal: arousal[i]!,
      quadrant: q,
      confidence: Math.max(...q),
      entropy: null,
      expression: null,
    };
  });
}

type Notes = Readonly<Record<string, string>>;

/** What a checkpoint says that it was trained on, to follow its name. */
export const trainedOn = ({ trainedOn }: Notes): string => (trainedOn === undefined ? "" : `, trained on ${trainedOn}`);

/** The checkpoint of a frame model: the one that is named, or else the package's. */
export function pathOf({ preset, checkpoint }: AnclafScorerSource): string {
  const path = checkpointFor({ preset, checkpoint });
  if (path !== undefined) return path;
  throw new PipeError(`No weights of anclaf-frame come with this package for the preset ${preset}.`, {
    hint: "Name a trained checkpoint (pipe run train-anclaf writes model.safetensors), or take preset small.",
  });
}

const interval = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high);
const range = z.object({ valence: interval, arousal: interval });

/** The range in a checkpoint's notes. */
export function scaleIn(note: string | undefined, path: string): Scale {
  if (note === undefined) return UNIT_SCALE;
  try {
    return range.parse(JSON.parse(note));
  } catch (cause) {
    throw new PipeError(`${path}: its note "range" is ${JSON.stringify(note)}, which is no range of labels.`, {
      hint: 'It is to read like {"valence":[-10,10],"arousal":[-10,10]}.',
      cause,
    });
  }
}
