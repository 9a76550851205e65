import { PipeError, reasonOf } from "../errors.ts";
import { readImage } from "../media/images.ts";
import { decode, giveBack } from "../media/index.ts";
import type { Box, Image } from "../records.ts";
import { mapAhead } from "../vision/ahead.ts";
import { anclafBox } from "../vision/boxes.ts";
import { resample } from "../vision/resample.ts";
import { type Shown, shown } from "./shown.ts";
import type { LabelledClip, LabelledFrame } from "./types.ts";

/** A face cut from a labelled frame, or why there is none. */
export type CutFace =
  | {
      /** Position in the clip's frames. */
      readonly index: number;
      /** Whole pixels of the frame. */
      readonly box: Box;
      /** Microseconds; null where the clip is a folder of pictures. */
      readonly pts: number | null;
      /** side × side. */
      readonly image: Image;
    }
  | { readonly index: number; readonly reason: string };

/**
 * Cuts the faces of a clip's frames `from … to − 1`: every one gives a face or a reason, in any order. The crop is
 * ANCLaF's: the landmarks' box, grown, clipped to the frame, resized to side × side without keeping its shape.
 */
export function cutFaces(
  clip: LabelledClip,
  { side, from, to, signal }: { side: number; from: number; to: number; signal: AbortSignal },
): AsyncGenerator<CutFace, void, void> {
  return clip.media.kind === "images"
    ? cutPictures(clip, clip.media.paths, side, from, to, signal)
    : cutVideo(clip, clip.media, side, from, to, signal);
}

async function* cutPictures(
  clip: LabelledClip,
  paths: readonly string[],
  side: number,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<CutFace, void, void> {
  for (let index = from; index < to; index++) {
    signal.throwIfAborted();
    const image = await readImage(paths[index]!).catch(reasonIfUsers);
    yield typeof image === "string"
      ? { index, reason: image }
      : await cut(image, clip.frames[index]!, { index, pts: null, side });
  }
}

async function* cutVideo(
  clip: LabelledClip,
  media: Extract<LabelledClip["media"], { kind: "video" }>,
  side: number,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<CutFace, void, void> {
  const given = new Uint8Array(to);
  const ids = clip.frames.slice(from, to).map((frame) => frame.id);
  let why = "the video has no picture at its time";
  try {
    const decoding = decode(media.path, { signal });
    const work = async ({ frame, labels }: Shown): Promise<CutFace[]> => {
      const faces = await Promise.all(
        labels.map((label) =>
          cut(frame.image, clip.frames[from + label]!, { index: from + label, pts: frame.pts, side }),
        ),
      );
      giveBack(frame.image);
      return faces;
    };
    for await (const faces of mapAhead(shown(decoding, ids, media), PICTURES_AHEAD, work, signal))
      for (const face of faces) {
        given[face.index] = 1;
        yield face;
      }
    const { verdict, detail } = await decoding.ending;
    if (verdict !== "complete") why += `, and it is ${verdict}: ${detail}`;
  } catch (error) {
    signal.throwIfAborted();
    why = reasonIfUsers(error);
  }
  for (let index = from; index < to; index++) if (given[index] === 0) yield { index, reason: why };
}

/** How many pictures of one video are held: one is decoded while others are cut. */
const PICTURES_AHEAD = 3;

async function cut(
  image: Image,
  frame: LabelledFrame,
  { index, pts, side }: { index: number; pts: number | null; side: number },
): Promise<CutFace> {
  const box = anclafBox(frame.landmarks, image);
  if (box === null) return { index, reason: "its landmarks lie outside the picture" };
  return { index, pts, box, image: await resample(image, box, { width: side, height: side }) };
}

/** What a user's file is to blame for becomes a reason; anything else is a bug and goes on. */
function reasonIfUsers(error: unknown): string {
  if (error instanceof PipeError) return reasonOf(error);
  throw error;
}
