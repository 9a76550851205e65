import type { Counts } from "../ledger.ts";
import type { Image, Verdict } from "../records.ts";

/** Which decoder reads the video: libav inside the node-av package, or the user's own ffmpeg executable. */
export const DECODERS = ["auto", "libav", "ffmpeg"] as const;
export type DecoderName = (typeof DECODERS)[number];

export interface DecodeOptions {
  readonly decoder?: DecoderName;
  /** At most this many frames per second, chosen by timestamp: the first frame in each 1/fps interval from the first pts. */
  readonly fps?: number;
  /**
   * Seconds on the container's clock; frames with start <= pts < end. Decoding begins at a keyframe before `start`
   * where packets tell how many frames come before that, and the counts then speak of the part that was decoded.
   */
  readonly start?: number;
  readonly end?: number;
  /** Refuse frames with more pixels than this (default 64 Mi). */
  readonly maxPixels?: number;
  /** Wall-clock limit for the whole file, seconds. */
  readonly timeout?: number;
  /** Give up when decoding made no progress for this long while a frame was wanted, seconds (default 60). */
  readonly stall?: number;
  readonly signal?: AbortSignal;
  /** Frames' memory may be given back (`giveBack`), so that later frames need no fresh memory. Default: it is the caller's for good. */
  readonly recycle?: boolean;
}

/** A decoded frame: upright, square pixels, RGB. Where the size changes within a stream, later frames are scaled to the first size. */
export interface DecodedFrame {
  /** Among the decoded frames of the file, from 0, also where only a part was asked for. */
  readonly index: number;
  /** Integer microseconds, from the container. */
  readonly pts: number;
  /** `pts` of the file's first frame, also where only a part was asked for: players count from there. */
  readonly firstPts: number;
  readonly image: Image;
}

/** Known after the last frame. */
export interface DecodeEnding {
  readonly verdict: Verdict;
  /** A sentence when the verdict is not `complete`. */
  readonly detail?: string;
  readonly counts: Pick<Counts, "demuxed" | "decoded" | "failed" | "sampled" | "skipped">;
  /** What a user of the frames must know though the verdict does not say it, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Frames in presentation order; iterate once: nothing is opened before. `ending` resolves after the last frame and rejects
 * when opening fails, when a limit is passed, and when the loop is left early.
 * Breaking out of the loop, an error or an abort closes worker, process and file.
 */
export interface Decoding extends AsyncIterable<DecodedFrame> {
  readonly ending: Promise<DecodeEnding>;
}

/** What a file says of itself before any frame is decoded. */
export interface Probe {
  readonly container: string;
  readonly codec: string;
  /** Coded size, pixels. */
  readonly coded: { readonly width: number; readonly height: number };
  /** Size shown: after rotation and sample aspect ratio. */
  readonly display: { readonly width: number; readonly height: number };
  /** Clockwise quarter turns in degrees that make it upright: 0, 90, 180, 270. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** It must be mirrored left-right before it is turned. */
  readonly mirrored: boolean;
  readonly sampleAspectRatio: number;
  /** Microseconds; null where the container does not say. */
  readonly duration: number | null;
  /** Frames announced by the container; null where it does not say. */
  readonly announcedFrames: number | null;
  /** Average frames per second as the container says it; a hint, never used for time. */
  readonly fps: number | null;
}
