import { availableParallelism } from "node:os";
import sharp, { type Sharp } from "sharp";
import type { Image } from "../../records.ts";
import { type ClipScript, type DrawnFrame, drawFrame, type FaceTruth } from "./clip.ts";

export interface RenderedFrame {
  readonly pts: number;
  readonly shot: number;
  readonly image: Image;
  readonly truth: readonly FaceTruth[];
}

/** The script's frames as pixels, in order; `concurrency` of them are drawn at a time (default: one a core). */
export async function* renderClip(
  script: ClipScript,
  { concurrency = availableParallelism(), signal }: { concurrency?: number; signal?: AbortSignal } = {},
): AsyncGenerator<RenderedFrame> {
  const walls = new Map<string, Promise<Buffer>>();
  const queue: Promise<RenderedFrame>[] = [];
  try {
    for (const pts of script.times) {
      signal?.throwIfAborted();
      const frame = render(script, drawFrame(script, pts), walls);
      // Its error is met when its turn comes; until then it must not count as unhandled.
      frame.catch(() => {});
      queue.push(frame);
      if (queue.length >= concurrency) yield await queue.shift()!;
    }
    while (queue.length > 0) yield await queue.shift()!;
  } finally {
    await Promise.allSettled(queue);
  }
}

/** A frame as one SVG document. */
export function svgOf({ width, height }: ClipScript, { background, faces }: DrawnFrame): string {
  return document(width, height, background + faces);
}

/** The wall of a shot stands still, so it is drawn once and the faces are laid over its pixels. */
async function render(
  script: ClipScript,
  frame: DrawnFrame,
  walls: Map<string, Promise<Buffer>>,
): Promise<RenderedFrame> {
  const { width, height } = script;
  const wall = walls.get(frame.background) ?? pixels(sharp(Buffer.from(document(width, height, frame.background))));
  walls.set(frame.background, wall);
  const { pts, shot, truth } = frame;
  const raw = { width, height, channels: 3 as const };
  const data =
    frame.faces === ""
      ? await wall
      : await pixels(
          sharp(await wall, { raw }).composite([{ input: Buffer.from(document(width, height, frame.faces)) }]),
        );
  return { pts, shot, truth, image: { width, height, data: new Uint8Array(data) } };
}

const pixels = (picture: Sharp): Promise<Buffer> => picture.removeAlpha().raw().toBuffer();

function document(width: number, height: number, inside: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`;
}
