import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PipeError, reasonOf } from "../../errors.ts";
import { DIMENSIONS, type Dimension } from "./affect-model.ts";
import { RATES, type Tracks } from "./affect-tracks.ts";
import type { DrawnFrame, FaceClip } from "./face-clip.ts";
import { OCCLUDERS } from "./occluder.ts";

/** File of a synthesised dataset with what is true of each clip, one JSON object a line, in the dataset's order. */
export const TRUTH_FILE = "truth.jsonl";

const numbers = z.array(z.number());
const track = z.strictObject({
  /** The exact label, −1..1, before the layout's rounding. */
  label: numbers,
  /** What the face shows (`affect-model.ts`). */
  level: numbers,
  carrier: numbers,
});

const schema = z
  .strictObject({
    /** The clip's id as the layout's reader gives it. */
    clip: z.string(),
    actor: z.string(),
    rate: z.literal(RATES),
    valence: track,
    arousal: track,
    blink: numbers,
    /** Radians. */
    yaw: numbers,
    pitch: numbers,
    roll: numbers,
    occluders: z.array(z.enum(OCCLUDERS)),
    /** How many of the 68 landmarks something covers. */
    covered: z.array(z.int().nonnegative()),
    light: z.strictObject({
      level: z.number(),
      colour: z.tuple([z.number(), z.number(), z.number()]),
      direction: z.number(),
      slope: z.number(),
      flicker: z.number(),
    }),
    compression: z.number(),
  })
  .refine(({ valence, arousal, blink, yaw, pitch, roll, covered }) => {
    const tracks = [valence, arousal].flatMap(({ label, level, carrier }) => [label, level, carrier]);
    return [...tracks, blink, yaw, pitch, roll].every(({ length }) => length === covered.length);
  }, "its lists differ in length");

/** One value a frame in every list. Numbers are rounded to 0.0001. */
export type FaceClipTruth = z.infer<typeof schema>;

export function faceClipTruth(
  name: string,
  actor: string,
  clip: FaceClip,
  frames: readonly DrawnFrame[],
): FaceClipTruth {
  const shown = (dimension: Dimension) => {
    const { label, level, carrier } = clip.tracks[dimension];
    return { label: rounded(label), level: rounded(level), carrier: rounded(carrier) };
  };
  const { colour, ...light } = clip.light;
  const pose = (axis: "yaw" | "pitch" | "roll") => rounded(frames.map((frame) => frame.pose[axis]));
  return {
    clip: name,
    actor,
    rate: clip.plan.rate,
    valence: shown("valence"),
    arousal: shown("arousal"),
    blink: rounded(frames.map(({ blink }) => blink)),
    yaw: pose("yaw"),
    pitch: pose("pitch"),
    roll: pose("roll"),
    occluders: [...new Set(frames.flatMap(({ occluder }) => occluder ?? []))],
    covered: frames.map(({ covered }) => covered),
    light: {
      level: round(light.level),
      colour: [round(colour[0]), round(colour[1]), round(colour[2])],
      direction: round(light.direction),
      slope: round(light.slope),
      flicker: round(light.flicker),
    },
    compression: round(clip.compression),
  };
}

/** The truth of every clip of a synthesised dataset. Throws a PipeError where the folder has none that can be read. */
export async function readFacesTruth(folder: string): Promise<FaceClipTruth[]> {
  const file = join(folder, TRUTH_FILE);
  let line = 0;
  try {
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    return lines.map((text) => {
      line++;
      return schema.parse(JSON.parse(text));
    });
  } catch (error) {
    throw new PipeError(
      `${file}${line > 0 ? `, line ${line},` : ""} is not the truth of drawn faces: ${reasonOf(error)}`,
      {
        hint: "Only datasets that `pipe synth faces` wrote have this file; it must be as it was written.",
        cause: error,
      },
    );
  }
}

/** The tracks as they were written. */
export function tracksOf(truth: FaceClipTruth): Tracks {
  const [valence, arousal] = DIMENSIONS.map((dimension) => {
    const { label, level, carrier } = truth[dimension];
    return { label: Float64Array.from(label), level: Float64Array.from(level), carrier: Float64Array.from(carrier) };
  });
  return { valence: valence!, arousal: arousal! };
}

const rounded = (values: ArrayLike<number>): number[] => Array.from(values, round);
const round = (value: number): number => Math.round(value * 1e4) / 1e4 || 0;
