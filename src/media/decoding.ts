import { PipeError } from "../errors.ts";
import type { DecodedFrame, DecodeEnding, Decoding } from "./types.ts";

/** A Decoding from a generator that yields frames and returns the ending. The generator starts with the loop over it. */
export function decodingOf(path: string, start: () => AsyncGenerator<DecodedFrame, DecodeEnding, void>): Decoding {
  let started = false;
  let settle = { resolve: (_: DecodeEnding): void => {}, reject: (_: unknown): void => {} };
  const ending = new Promise<DecodeEnding>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever loops over the frames meets the same error there; nobody is bound to look at `ending` too.
  ending.catch(() => {});
  return {
    ending,
    async *[Symbol.asyncIterator]() {
      if (started) throw new Error(`${path}: a Decoding can be iterated only once.`);
      started = true;
      try {
        settle.resolve(yield* start());
      } catch (error) {
        settle.reject(error);
        throw error;
      } finally {
        settle.reject(new PipeError(`${path}: decoding was left before the last frame.`));
      }
    },
  };
}
