import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodeMp4 } from "../../src/datasets/synth/encode.ts";
import { writePng } from "../../src/media/images.ts";
import type { Image } from "../../src/records.ts";

/** A folder that is gone when the block ends. */
export async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "affect-pipe-data-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** A picture whose pixels tell frame and place: red counts columns, green rows, blue the frame (8 a step). */
export function picture(frame: number, width = 60, height = 48): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set([x * 3, y * 4, (frame * 8) % 256], (y * width + x) * 3);
  return { width, height, data };
}

/** Landmarks on an ellipse; those of every frame differ. */
export function face(points: number, frame: number): [x: number, y: number][] {
  return Array.from({ length: points }, (_, i) => {
    const angle = (2 * Math.PI * i) / points;
    return [30 + frame / 4 + 11.5 * Math.cos(angle), 24 - frame / 8 + 13.25 * Math.sin(angle)];
  });
}

export interface AfewFrame {
  readonly valence: unknown;
  readonly arousal: unknown;
  readonly landmarks: unknown;
}

export const afewFrame = (id: number, more: Partial<AfewFrame> = {}): AfewFrame => ({
  valence: (id % 5) - 2,
  arousal: 3 - (id % 4),
  landmarks: face(68, id),
  ...more,
});

/** Writes clip `at` (e.g. "01/001") of AFEW-VA with `frames` pictures; `labels` may say other than what they show. */
export async function afewClip(
  root: string,
  at: string,
  actor: unknown,
  frames: number,
  labels: Record<string, unknown> = {},
): Promise<void> {
  const id = at.split("/").at(-1)!;
  const all: Record<string, unknown> = {};
  await mkdir(join(root, at), { recursive: true });
  for (let i = 0; i < frames; i++) {
    const name = String(i).padStart(5, "0");
    all[name] = afewFrame(i);
    await writePng(picture(i), join(root, at, `${name}.png`));
  }
  await put(join(root, at, `${id}.json`), JSON.stringify({ video_id: id, actor, frames: { ...all, ...labels } }));
}

export const stem = (session: number, { participant = 1, first = 4803, last = 5542 } = {}): string => {
  const three = (n: number): string => String(n).padStart(3, "0");
  const six = (n: number): string => String(n).padStart(6, "0");
  return `SSL_C2_S${three(session)}_P${three(2 * session - 2 + participant)}_VC1_${six(first)}_${six(last)}`;
};

export interface SewaSegment {
  readonly ids: readonly number[];
  readonly points?: 49 | 68;
  /** Times of the video's pictures, microseconds; no video where absent. */
  readonly times?: readonly number[];
  readonly channels?: readonly string[];
  /** Where the label files lie. */
  readonly spread?: boolean;
}

export const sewaValence = (id: number): number => Math.round(1000 * Math.sin(id)) / 1000;
export const sewaArousal = (id: number): number => Math.round(1000 * Math.cos(id)) / 1000;

/** Writes one segment of SEWA: labels, one landmark file a frame, and a video whose blue tells the picture's number. */
export async function sewaSegment(
  root: string,
  name: string,
  { ids, points = 49, times, channels = ["AV"], spread = false }: SewaSegment,
): Promise<void> {
  const at = join(root, name);
  for (const channel of channels)
    for (const [dimension, value] of [
      ["Valence", sewaValence],
      ["Arousal", sewaArousal],
    ] as const) {
      const lines = [`frame,${dimension.toLowerCase()}`, ...ids.map((id) => `${id},${value(id)}`)];
      const below = spread ? join(at, dimension.toLowerCase()) : at;
      await put(join(below, `${name}_${dimension}_${channel}_Aligned.csv`), `${lines.join("\n")}\n`);
    }
  for (const id of ids) await put(landmarkFile(root, name, id), landmarkText(points, id));
  if (times !== undefined) await video(join(at, `${name}.mp4`), times);
}

export const landmarkFile = (root: string, name: string, id: number): string =>
  join(root, name, "landmarks", `${name}_${String(id).padStart(6, "0")}.txt`);

/** Pose angles, eye centres, points, on three lines. */
export const landmarkText = (points: number, id: number): string =>
  `0.1 -0.2 0.05\n21.5 20 38.25 20\n${face(points, id).flat().join(" ")}\n`;

export async function video(path: string, times: readonly number[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await encodeMp4(
    path,
    (async function* () {
      for (const [i, pts] of times.entries()) yield { pts, image: grey(i) };
    })(),
    { width: 60, height: 48, quality: 1, preset: "ultrafast" },
  );
}

/** A grey picture whose level tells its number, so that compression does not blur it. */
export function grey(number: number): Image {
  return { width: 60, height: 48, data: new Uint8Array(60 * 48 * 3).fill(20 + 5 * number) };
}
