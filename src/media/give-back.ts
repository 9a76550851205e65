import type { Image } from "../records.ts";

const owners = new WeakMap<Image, (buffer: ArrayBuffer) => void>();

/**
 * Gives the memory of a frame's image back to its decoder, which puts a later frame into it instead of fresh memory. Call it
 * when nobody will read the pixels any more: `image.data` is empty from then on, wherever it is held. Only frames decoded
 * with `recycle` can be given back; all other images are left as they are.
 */
export function giveBack(image: Image): void {
  const owner = owners.get(image);
  owners.delete(image);
  owner?.(image.data.buffer as ArrayBuffer);
}

/** Says who takes the memory of an image, which must own its whole buffer. */
export function lend(image: Image, owner: (buffer: ArrayBuffer) => void): void {
  owners.set(image, owner);
}
