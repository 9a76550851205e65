import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { PipeError, reasonOf } from "../../errors.ts";
import type { FaceTruth } from "./clip.ts";

const face = z.strictObject({
  /** Name of the person, the same over all clips. */
  identity: z.string(),
  valence: z.number().min(-1).max(1),
  arousal: z.number().min(-1).max(1),
  /** The smallest box round the landmarks: x, y, width, height in pixels. */
  box: z.array(z.number()).length(4),
  /** 68 landmarks in pixels: x0, y0, x1, y1, … in the order of the 300-W mark-up. */
  landmarks: z.array(z.number()).length(136),
});

const schema = z.strictObject({
  clip: z.string(),
  width: z.int().positive(),
  height: z.int().positive(),
  frames: z.array(
    z.strictObject({
      /** Integer microseconds, as in the container. */
      pts: z.int(),
      /** From 0. */
      shot: z.int().nonnegative(),
      faces: z.array(face),
    }),
  ),
});

/** What is true of a rendered clip, frame by frame. Lengths are rounded to 0.1 pixel, affect to 0.001. */
export type ClipTruth = z.infer<typeof schema>;
type FaceEntry = z.infer<typeof face>;

export function faceEntry({ identity, valence, arousal, box, landmarks }: FaceTruth): FaceEntry {
  const pixels = (values: Iterable<number>) => Array.from(values, (value) => rounded(value, 10));
  return {
    identity,
    valence: rounded(valence, 1000),
    arousal: rounded(arousal, 1000),
    box: pixels([box.x, box.y, box.width, box.height]),
    landmarks: pixels(landmarks),
  };
}

/** One line a frame, so that a change shows as a small difference. */
export async function writeTruth(path: string, { frames, ...head }: ClipTruth): Promise<void> {
  const lines = frames.map((frame) => JSON.stringify(frame)).join(",\n");
  await writeFile(path, `${JSON.stringify(head).slice(0, -1)},"frames":[\n${lines}\n]}\n`);
}

/** Throws a PipeError that names the file when it is absent or not a truth file. */
export async function readTruth(path: string): Promise<ClipTruth> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    throw new PipeError(`${path} is not the truth of a rendered clip: ${reasonOf(error)}`, {
      hint: "`npm run samples` writes the sample clips and their truth anew.",
      cause: error,
    });
  }
}

function rounded(value: number, steps: number): number {
  return Math.round(value * steps) / steps || 0;
}
