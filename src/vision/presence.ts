/** Boxes with a shorter side than this, in pixels, are enlarged so much for the landmark network that it doubts true faces. */
const SURE_FROM = 48;
/** How many times less presence smaller faces need. */
const LESS = 10;
/** Microseconds of a track that are looked back on. */
const MEMORY = 1_000_000;

/**
 * Whether faces are faces, by the presence that FaceMesh gives each. A face counts when its own presence reaches `least`,
 * or the mean over the last second of its track does: a face that turns away, or is blurred, for some frames stays.
 *
 * Faces below 48 px need a tenth of `least`: there the network gave true faces .005 to .05 and false ones less than .005
 * (real photos and videos).
 *
 * Frames come in order; tracks in any.
 */
export function createPresence(least: number): {
  /** @param size shorter side of its box, pixels. */
  accepts(face: { track: number; pts: number; size: number; presence: number }): boolean;
} {
  const tracks = new Map<number, { pts: number; presence: number }[]>();
  return {
    accepts({ track, pts, size, presence }) {
      for (const [id, looks] of tracks) if (pts - looks.at(-1)!.pts > MEMORY) tracks.delete(id);
      const recent = (tracks.get(track) ?? []).filter((one) => pts - one.pts <= MEMORY);
      recent.push({ pts, presence });
      tracks.set(track, recent);
      const mean = recent.reduce((sum, one) => sum + one.presence, 0) / recent.length;
      return Math.max(presence, mean) >= (size < SURE_FROM ? least / LESS : least);
    },
  };
}
