import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { FaceClip } from "./face-clip.ts";
import { faceFrames } from "./face-frames.ts";
import { type ClipOrder, type FaceLayout, padded, pixel, type WriteOptions } from "./face-layout.ts";
import { type FaceClipTruth, faceClipTruth } from "./faces-truth.ts";

/**
 * AFEW-VA's layout (Kossaifi et al. 2017): `NNN/NNN.json` with labels as whole numbers −10..10 and 68 landmarks, and the
 * pictures `NNN/00000.png`, …. Like film frames the pictures have been through lossy coding: each was a JPEG of the
 * clip's quality, 35 to 95, before it became a PNG.
 */
export const afewVaLayout: FaceLayout = {
  name: "afew-va",
  most: { clips: 999, frames: 99_999 },
  size: { width: 192, height: 160, faceWidth: [80, 96] },
  names: ({ clip, actor }) => ({ clip: padded(clip + 1, 3), actor: `actor-${padded(actor + 1, 3)}` }),
  write: writeAfewVa,
};

async function writeAfewVa(
  clip: FaceClip,
  order: ClipOrder,
  folder: string,
  options: WriteOptions,
): Promise<FaceClipTruth> {
  const { clip: name, actor } = afewVaLayout.names(order);
  const place = join(folder, name);
  await mkdir(place);
  const quality = 95 - Math.round(60 * clip.compression);
  const drawn = faceFrames(
    clip,
    async ({ image, ...frame }) => {
      const raw = { width: image.width, height: image.height, channels: 3 as const };
      const coded = await sharp(image.data, { raw }).jpeg({ quality }).toBuffer();
      const png = sharp(coded).png({ compressionLevel: 2, adaptiveFiltering: true });
      await png.toFile(join(place, `${padded(frame.index, 5)}.png`));
      return frame;
    },
    options,
  );
  const { valence, arousal } = clip.tracks;
  const frames: [string, object][] = [];
  const seen: Parameters<typeof faceClipTruth>[3][number][] = [];
  for await (const frame of drawn) {
    const { index, landmarks } = frame;
    const label = {
      arousal: tenth(arousal.label[index]!),
      landmarks: pairs(landmarks),
      valence: tenth(valence.label[index]!),
    };
    frames.push([padded(index, 5), label]);
    seen.push(frame);
  }
  const json = { actor, frames: Object.fromEntries(frames), video_id: name };
  await writeFile(join(place, `${name}.json`), `${JSON.stringify(json)}\n`);
  return faceClipTruth(name, actor, clip, seen);
}

/** −1..1 as the dataset's whole numbers. */
const tenth = (label: number): number => Math.round(10 * label) || 0;

function pairs(landmarks: Float32Array): number[][] {
  return Array.from({ length: landmarks.length / 2 }, (_, i) => [
    pixel(landmarks[2 * i]!),
    pixel(landmarks[2 * i + 1]!),
  ]);
}
