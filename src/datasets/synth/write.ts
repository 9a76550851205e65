import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClipScript } from "./clip.ts";
import { encodeMp4 } from "./encode.ts";
import { labelText } from "./label-text.ts";
import { type RenderedFrame, renderClip } from "./render.ts";
import { type ClipTruth, faceEntry, writeTruth } from "./truth.ts";

export interface WrittenClip {
  readonly video: string;
  readonly truth: string;
  readonly labels: string;
  readonly frames: number;
}

/**
 * Renders a script into `folder`: `<name>.mp4` and, beside it, `<name>.json` with the truth of every frame and
 * `<name>.labels.csv` with what a user's own labels would say of it.
 */
export async function writeClip(
  script: ClipScript,
  folder: string,
  options: { concurrency?: number; quality?: number; preset?: string; signal?: AbortSignal } = {},
): Promise<WrittenClip> {
  const { name, width, height } = script;
  const { quality, preset, ...rendering } = options;
  const frames: ClipTruth["frames"] = [];
  async function* noted(rendered: AsyncIterable<RenderedFrame>) {
    for await (const frame of rendered) {
      frames.push({ pts: frame.pts, shot: frame.shot, faces: frame.truth.map(faceEntry) });
      yield frame;
    }
  }
  const video = join(folder, `${name}.mp4`);
  const truth = join(folder, `${name}.json`);
  const labels = join(folder, `${name}.labels.csv`);
  await encodeMp4(video, noted(renderClip(script, rendering)), {
    width,
    height,
    ...(quality !== undefined && { quality }),
    ...(preset !== undefined && { preset }),
  });
  await writeTruth(truth, { clip: name, width, height, frames });
  await writeFile(labels, labelText(frames));
  return { video, truth, labels, frames: frames.length };
}
