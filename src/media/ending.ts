import type { DecodeEnding } from "./types.ts";

export interface Evidence {
  /** Pts of each whole packet that should give a frame, in decoding order; null where the container gives none. */
  readonly packets: readonly (number | null)[];
  /** Pts of the first and last decoded frame where only a part of the stream was decoded; packets outside do not count. */
  readonly part?: { readonly first: number; readonly last: number };
  readonly decoded: number;
  readonly sampled: number;
  readonly skipped: number;
  /** Frames that the container announces; null where it does not, or where only a part was decoded. */
  readonly announced: number | null;
  /** Length that the container announces for what it shows, microseconds; null where it does not say. */
  readonly duration: number | null;
  /** Bytes that the container's structure promises beyond the end of the file. */
  readonly missingBytes: number;
  /** What the first packet that could not be decoded was refused with. */
  readonly error?: string;
  /** See {@link DecodeEnding.warnings}. */
  readonly warnings?: readonly string[];
}

/**
 * Counts and verdict, the same for every decoder.
 *
 * Decoding stops at the first packet that cannot be decoded, because what follows leans on the missing picture; it and
 * all packets after it are `failed`. A packet that is cut off in the middle never counts as demuxed. Where a packet
 * carries several frames it counts once for each, so that demuxed = decoded + failed.
 */
export function judge(evidence: Evidence): DecodeEnding {
  const { decoded, sampled, skipped, part, error, warnings = [] } = evidence;
  const packets = part
    ? evidence.packets.filter((pts) => pts === null || (pts >= part.first && pts <= part.last)).length
    : evidence.packets.length;
  // Interlaced streams may carry each field in a packet of its own: two packets a frame, and nothing is amiss.
  const fields = error === undefined && decoded > 7 && Math.abs(packets - 2 * decoded) <= 1;
  const demuxed = fields ? decoded : Math.max(packets, decoded);
  const failed = demuxed - decoded;
  const counts = { demuxed, decoded, failed, sampled, skipped };
  if (evidence.missingBytes > 0)
    return {
      verdict: "truncated",
      detail: `The file ends ${evidence.missingBytes} bytes early; ${decoded} frames could be decoded.`,
      counts,
      warnings,
    };
  if (evidence.announced !== null && evidence.announced > demuxed && !isFilled(evidence))
    return {
      verdict: "truncated",
      detail: `${evidence.announced} frames are announced, but the file holds ${demuxed}; ${decoded} could be decoded.`,
      counts,
      warnings,
    };
  if (failed > 0 || error)
    return {
      verdict: "damaged",
      detail: `${failed} of ${demuxed} frames could not be decoded${error ? ` (${error})` : ""}.`,
      counts,
      warnings,
    };
  return { verdict: "complete", counts, warnings };
}

/**
 * Whether the packets fill the announced length, to half a frame. Then frames that are announced and not there are left out on
 * purpose: by an edit list (a lossless cut), or as the frames that an AVI drops.
 */
function isFilled({ packets, duration }: Evidence): boolean {
  const times = packets.filter((pts) => pts !== null);
  if (duration === null || times.length < 2) return false;
  const [first, last] = times.reduce(([a, b], pts) => [Math.min(a, pts), Math.max(b, pts)], [times[0]!, times[0]!]);
  const interval = (last - first) / (times.length - 1);
  return last + interval - first >= duration - interval / 2;
}
