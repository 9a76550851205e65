import { thumbnailJpeg } from "../../media/images.ts";
import type { Prediction } from "../../records.ts";

export interface Thumbnail {
  readonly track: number;
  /** Microseconds. */
  readonly pts: number;
  readonly jpeg: Uint8Array;
}

/** Pixels; shown at half of it, so that dense screens have enough. */
export const THUMBNAIL = 96;
/** Pictures that a video keeps at most, about 3 KB each. */
const MOST = 120;

/**
 * A few pictures of each face along the video: the first of every track, then one for each interval of time, which starts
 * at a quarter of a second and doubles whenever there are too many, so that the length of the video need not be known. Where tracks
 * alone are too many, the earliest have theirs.
 */
export class Thumbnails {
  #interval = 250_000;
  #kept: (Thumbnail & { readonly first: boolean })[] = [];
  readonly #last = new Map<number, number>();

  async add({ track, pts, image }: Prediction): Promise<void> {
    if (image === null) return;
    const last = this.#last.get(track);
    const first = last === undefined;
    if (!first && Math.floor(pts / this.#interval) === Math.floor(last / this.#interval)) return;
    this.#last.set(track, pts);
    if (this.#kept.length >= MOST && !this.#thin()) return;
    this.#kept.push({ track, pts, first, jpeg: await thumbnailJpeg(image, THUMBNAIL) });
  }

  get all(): readonly Thumbnail[] {
    return this.#kept;
  }

  /** Drops every second; false where only first ones are left. */
  #thin(): boolean {
    if (this.#kept.every(({ first }) => first)) return false;
    this.#interval *= 2;
    const slots = new Set<string>();
    this.#kept = this.#kept.filter(({ track, pts, first }) => {
      const slot = `${track} ${Math.floor(pts / this.#interval)}`;
      const keeps = first || !slots.has(slot);
      slots.add(slot);
      return keeps;
    });
    return true;
  }
}
