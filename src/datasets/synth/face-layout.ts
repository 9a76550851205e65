import type { FaceClip, FaceClipPlan } from "./face-clip.ts";
import type { FaceClipTruth } from "./faces-truth.ts";

/** A dataset's layout: what its clips are like and how one is written. */
export interface FaceLayout {
  readonly name: "afew-va" | "sewa";
  /** Most clips and frames a clip that its names can count. */
  readonly most: { readonly clips: number; readonly frames: number };
  /** Pixels. */
  readonly size: Pick<FaceClipPlan, "width" | "height" | "faceWidth">;
  /** The clip's id and its actor's as the dataset writes them. */
  names(order: ClipOrder): { readonly clip: string; readonly actor: string };
  /** Writes a clip below `folder`; gives its truth. Bytes depend on clip and order alone. */
  write(clip: FaceClip, order: ClipOrder, folder: string, options: WriteOptions): Promise<FaceClipTruth>;
}

/** Whose and which clip it is, all counted from 0. */
export interface ClipOrder {
  readonly clip: number;
  readonly actor: number;
  /** Which of the actor's clips. */
  readonly take: number;
  readonly frames: number;
}

export interface WriteOptions {
  /** Frames drawn at a time. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

export const padded = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** Pixels with two decimals. */
export const pixel = (value: number): number => Math.round(value * 100) / 100 || 0;
