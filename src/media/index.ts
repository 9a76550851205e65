import { decodeWithFfmpeg, probeWithFfmpeg } from "./ffmpeg.ts";
import { decodeWithLibav, probeWithLibav } from "./libav.ts";
import type { DecodeOptions, Decoding, Probe } from "./types.ts";

export { giveBack } from "./give-back.ts";
export { expandInputs, type Input } from "./inputs.ts";
export type * from "./types.ts";
export { DECODERS } from "./types.ts";

/**
 * Frames of a video file, upright, with square pixels, as RGB, in presentation order with the container's times. `auto` is libav.
 * Nothing is opened before the first frame is asked for.
 *
 * @throws PipeError, from the loop, for what cannot be opened and for limits that were passed; the signal's reason on abort.
 */
export function decode(path: string, options: DecodeOptions = {}): Decoding {
  return options.decoder === "ffmpeg" ? decodeWithFfmpeg(path, options) : decodeWithLibav(path, options);
}

/** What a video file says of itself. Opens and refuses as {@link decode} does. */
export function probe(path: string, options: DecodeOptions = {}): Promise<Probe> {
  return options.decoder === "ffmpeg" ? probeWithFfmpeg(path, options) : probeWithLibav(path, options);
}
