import type { DecodedFrame } from "../media/index.ts";
import type { ClipMedia } from "./types.ts";

/** A picture of a video with the positions of the labels that it is shown for. */
export interface Shown {
  readonly frame: DecodedFrame;
  /** Positions in `ids`, ascending; often none or several. */
  readonly labels: readonly number[];
}

/**
 * Which picture belongs to which label, as {@link ClipMedia} says. A picture is shown until the next one begins; the
 * last as long as the one before it was, and at least one tick.
 *
 * @param ids frame ids, ascending
 */
export async function* shown(
  frames: AsyncIterable<DecodedFrame>,
  ids: readonly number[],
  { first, rate }: Extract<ClipMedia, { kind: "video" }>,
): AsyncGenerator<Shown, void, void> {
  let next = 0;
  const until = (end: number): number[] => {
    const labels: number[] = [];
    for (; next < ids.length && ids[next]! < end; next++) if (ids[next]! >= first) labels.push(next);
    return labels;
  };
  if (rate === "video") {
    for await (const frame of frames) yield { frame, labels: until(first + frame.index + 1) };
    return;
  }
  let waiting: DecodedFrame | undefined;
  let start = 0;
  let length = 0;
  // The middle of label k's tick is before `pts` where k < first + seconds · rate − 1/2.
  const endId = (pts: number): number => first + ((pts - start) / 1e6) * rate - 0.5;
  for await (const frame of frames) {
    if (waiting === undefined) start = frame.pts;
    else {
      length = frame.pts - waiting.pts;
      yield { frame: waiting, labels: until(endId(frame.pts)) };
    }
    waiting = frame;
  }
  if (waiting !== undefined) yield { frame: waiting, labels: until(endId(waiting.pts + Math.max(length, 1e6 / rate))) };
}
