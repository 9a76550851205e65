import { decodeWithLibav, probeWithLibav } from "./libav.ts";
import type { DecodeOptions, Decoding, Probe } from "./types.ts";

export type * from "./types.ts";
export { DECODERS } from "./types.ts";

/** libav by default. Nothing is opened before the first frame is asked for. */
export function decode(path: string, options: DecodeOptions = {}): Decoding {
  return decodeWithLibav(path, options);
}
export async function probe(path: string, options: DecodeOptions = {}): Promise<Probe> {
  return probeWithLibav(path, options);
}
