import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeMp4, type TimedImage } from "./encode.ts";
import { type FaceClip, type FaceClipPlan, faceClip } from "./face-clip.ts";
import { faceFrames } from "./face-frames.ts";
import { labelText } from "./label-text.ts";

/** A sample of one person alone, for models of sequences: affect shows on the face over time (`affect-model.ts`). */
export interface Talk {
  readonly name: string;
  readonly person: string;
  readonly plan: FaceClipPlan;
}

/** The clips in data/talks: ten people for four seconds each, 25 frames a second. */
export const TALKS: readonly Talk[] = Array.from({ length: 10 }, (_, i) => {
  const number = String(i + 1).padStart(2, "0");
  const plan = { seed: `talk/${i + 1}`, actor: `talker/${i + 1}`, frames: 100, rate: 25 } as const;
  const size = { width: 192, height: 160, faceWidth: [80, 96] } as const;
  return { name: `talk-${number}`, person: `talker-${number}`, plan: { ...plan, ...size } };
});

/** The labels of a talk, one a frame, with the box round the landmarks. */
export function talkLabels({ person }: Talk, clip: FaceClip, landmarks: readonly Float32Array[]): string {
  const { rate, frames } = clip.plan;
  const { valence, arousal } = clip.tracks;
  return labelText(
    Array.from({ length: frames }, (_, i) => ({
      pts: ptsOf(i, rate),
      faces: [
        {
          identity: person,
          valence: round(valence.label[i]!, 1e4),
          arousal: round(arousal.label[i]!, 1e4),
          box: boxRound(landmarks[i]!),
        },
      ],
    })),
  );
}

/** Draws a talk into `folder`: `<name>.mp4` and `<name>.labels.csv`. The same talk gives the same bytes. */
export async function writeTalk(
  talk: Talk,
  folder: string,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal },
): Promise<{ video: string; frames: number }> {
  const clip = faceClip(talk.plan);
  const { width, height, rate } = talk.plan;
  const landmarks: Float32Array[] = [];
  async function* pictures(): AsyncGenerator<TimedImage> {
    for await (const frame of faceFrames(clip, async (drawn) => drawn, { concurrency, signal })) {
      landmarks.push(frame.landmarks);
      yield { pts: ptsOf(frame.index, rate), image: frame.image };
    }
  }
  const video = join(folder, `${talk.name}.mp4`);
  const quality = 20 + Math.round(14 * clip.compression);
  const frames = await encodeMp4(video, pictures(), { width, height, quality });
  await writeFile(join(folder, `${talk.name}.labels.csv`), talkLabels(talk, clip, landmarks));
  return { video, frames };
}

const ptsOf = (frame: number, rate: number): number => Math.round((frame * 1e6) / rate);

/** x, y, width, height: the smallest box round the landmarks, to a tenth of a pixel. */
function boxRound(landmarks: Float32Array): number[] {
  const [xs, ys] = [0, 1].map((axis) => landmarks.filter((_, i) => i % 2 === axis));
  const [left, top] = [Math.min(...xs!), Math.min(...ys!)];
  return [left, top, Math.max(...xs!) - left, Math.max(...ys!) - top].map((value) => round(value, 10));
}

const round = (value: number, steps: number): number => Math.round(value * steps) / steps || 0;
