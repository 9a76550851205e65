import sharp, { type Sharp } from "sharp";
import { seeded } from "../../random.ts";
import type { Image } from "../../records.ts";
import type { DrawnFrame, FaceClip } from "./face-clip.ts";
import { inTurns } from "./in-turns.ts";
import { camera } from "./light.ts";

/** A clip's frame in pixels, before any compression. */
export interface FaceFrame extends DrawnFrame {
  /** From 0. */
  readonly index: number;
  readonly image: Image;
}

/**
 * Draws a clip's frames in order, `concurrency` at a time, and hands each to `use` with its place; gives what `use` made
 * of them, in order. What stands behind is drawn once a clip, and light is laid over pixels, not over shapes: drawing
 * the face's paths is most of the work, and everything else would double it.
 */
export async function* faceFrames<T>(
  clip: FaceClip,
  use: (frame: FaceFrame) => Promise<T>,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal | undefined },
): AsyncGenerator<T> {
  const { width, height, frames, rate, seed } = clip.plan;
  const wall = await pixels(width, height, clip.background).removeAlpha().raw().toBuffer();
  const shoot = camera(clip.light, seeded(seed).fork("waver"), width, height);
  yield* inTurns(
    frames,
    async (index) => {
      const drawn = clip.draw(index);
      const rgba = await pixels(width, height, drawn.svg).ensureAlpha().raw().toBuffer();
      return use({ ...drawn, index, image: shoot(rgba, wall, index / rate) });
    },
    { concurrency, signal },
  );
}

function pixels(width: number, height: number, inside: string): Sharp {
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`;
  return sharp(Buffer.from(`${open}${inside}</svg>`));
}
