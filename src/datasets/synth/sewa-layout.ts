import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../disk.ts";
import { DIMENSIONS } from "./affect-model.ts";
import { encodeMp4, type TimedImage } from "./encode.ts";
import type { DrawnFrame, FaceClip } from "./face-clip.ts";
import { type FaceFrame, faceFrames } from "./face-frames.ts";
import { type ClipOrder, type FaceLayout, padded, pixel, type WriteOptions } from "./face-layout.ts";
import { type FaceClipTruth, faceClipTruth } from "./faces-truth.ts";

/**
 * SEWA's layout (Kossaifi et al. 2019): a folder for each segment with the video, `<stem>_Valence_AV_Aligned.csv` and
 * the like (header, then frame from 0 and value −1..1), `landmarks/<stem>_000000.txt` (a line of pose angles in degrees,
 * one of the two eyes' centres, one of 49 points), and metadata.ini. Sessions hold two participants.
 *
 * Channel AV has the exact labels to four decimals; V, who did not hear, the labels 0.1 s late; A, who did not see, 0.4 s
 * late and weaker. Videos are H.264 in mp4 (the dataset's own: Xvid in avi) at the clip's rate factor, 20 to 34.
 */
export const sewaLayout: FaceLayout = {
  name: "sewa",
  most: { clips: 999, frames: 99_999 },
  size: { width: 320, height: 240, faceWidth: [112, 134] },
  names: (order) => ({ clip: stemOf(order), actor: `P${participant(order)}` }),
  write: writeSewa,
};

const participant = ({ actor }: ClipOrder): string => padded(actor + 1, 3);
const session = ({ actor }: ClipOrder): string => `S${padded(Math.floor(actor / 2) + 1, 3)}`;
const culture = ({ actor }: ClipOrder): string => `C${(Math.floor(actor / 2) % 6) + 1}`;

/** An actor's segments are cut from one recording, with a second between them. */
function span({ take, frames }: ClipOrder): readonly [first: number, last: number] {
  const first = take * (frames + 50);
  return [first, first + frames - 1];
}

function stemOf(order: ClipOrder): string {
  const [first, last] = span(order);
  const who = `SSL_${culture(order)}_${session(order)}_P${participant(order)}`;
  return `${who}_VC1_${padded(first, 6)}_${padded(last, 6)}`;
}

async function writeSewa(
  clip: FaceClip,
  order: ClipOrder,
  folder: string,
  options: WriteOptions,
): Promise<FaceClipTruth> {
  const { clip: stem, actor } = sewaLayout.names(order);
  const { width, height, rate } = clip.plan;
  const place = join(folder, stem);
  await makeFolder(join(place, "landmarks"));
  const seen: DrawnFrame[] = [];
  const drawn = faceFrames(
    clip,
    async (frame) => {
      await writeFile(join(place, "landmarks", `${stem}_${padded(frame.index, 6)}.txt`), landmarkText(frame));
      return frame;
    },
    options,
  );
  async function* pictures(): AsyncGenerator<TimedImage> {
    for await (const { image, index, ...frame } of drawn) {
      seen.push(frame);
      yield { pts: Math.round((index * 1e6) / rate), image };
    }
  }
  const quality = 20 + Math.round(14 * clip.compression);
  await encodeMp4(join(place, `${stem}.mp4`), pictures(), { width, height, quality, preset: "veryfast" });
  for (const dimension of DIMENSIONS) {
    const name = `${dimension[0]!.toUpperCase()}${dimension.slice(1)}`;
    for (const [channel, rows] of Object.entries(annotations(clip.tracks[dimension].label, rate))) {
      const lines = rows.map((value, frame) => `${frame},${value}\n`);
      await writeFile(join(place, `${stem}_${name}_${channel}_Aligned.csv`), `frame,${dimension}\n${lines.join("")}`);
    }
  }
  await writeFile(join(place, "metadata.ini"), metadata(order));
  return faceClipTruth(stem, actor, clip, seen);
}

function annotations(label: Float64Array, rate: number): Record<"A" | "V" | "AV", number[]> {
  const late = (seconds: number, share: number): number[] =>
    Array.from(label, (_, i) => fine(share * label[Math.max(0, i - Math.round(seconds * rate))]!));
  return { A: late(0.4, 0.7), V: late(0.1, 1), AV: late(0, 1) };
}

const fine = (value: number): number => Math.round(value * 1e4) / 1e4 || 0;

/** The 49 points are the 68 without the jaw (0–16) and the inner corners of the lips (60, 64). */
function landmarkText({ landmarks, pose }: FaceFrame): string {
  const all = Array.from({ length: 68 }, (_, i) => [landmarks[2 * i]!, landmarks[2 * i + 1]!] as const);
  const eyes = [36, 42].map((from) => {
    const lids = all.slice(from, from + 6);
    return [0, 1].map((axis) => lids.reduce((sum, point) => sum + point[axis]! / 6, 0));
  });
  const degrees = [pose.pitch, pose.yaw, pose.roll].map((angle) => (angle * 180) / Math.PI);
  const points = all.filter((_, i) => i > 16 && i !== 60 && i !== 64);
  return [degrees, eyes.flat(), points.flat()].map((line) => `${line.map(pixel).join(" ")}\n`).join("");
}

function metadata(order: ClipOrder): string {
  const [first, last] = span(order);
  return [
    "[segment]",
    `session = ${session(order)}`,
    `subject = P${participant(order)}`,
    "category = SSL",
    `first_frame = ${first}`,
    `last_frame = ${last}`,
    "",
  ].join("\n");
}
