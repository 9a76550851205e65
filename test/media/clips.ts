import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { decode } from "../../src/media/index.ts";
import type { DecodedFrame, DecodeEnding, DecodeOptions } from "../../src/media/types.ts";

export const hasFfmpeg = spawnSync("ffmpeg", ["-version"]).status === 0;
if (!hasFfmpeg) console.warn("There is no ffmpeg on PATH: tests that need it are skipped.");

export const decoders = hasFfmpeg ? (["libav", "ffmpeg"] as const) : (["libav"] as const);

/** Makes a clip with ffmpeg from one of its drawn sources; gives its path. */
export function draw(folder: string, name: string, source: string, ...options: string[]): string {
  const path = join(folder, name);
  execFileSync("ffmpeg", ["-nostdin", "-y", "-v", "error", "-f", "lavfi", "-i", source, ...options, `file:${path}`]);
  return path;
}

export interface Heard {
  readonly frames: readonly {
    index: number;
    pts: number;
    firstPts: number;
    width: number;
    height: number;
    digest: string;
  }[];
  readonly ending: DecodeEnding;
}

/** Decodes all, keeping a digest of each frame's pixels instead of the pixels. */
export async function hear(path: string, options: DecodeOptions, look?: (frame: DecodedFrame) => void): Promise<Heard> {
  const decoding = decode(path, options);
  const frames: Heard["frames"][number][] = [];
  for await (const frame of decoding) {
    const { width, height, data } = frame.image;
    const digest = createHash("sha256").update(data).digest("hex");
    frames.push({ index: frame.index, pts: frame.pts, firstPts: frame.firstPts, width, height, digest });
    look?.(frame);
  }
  return { frames, ending: await decoding.ending };
}
