/** How the frames of a source become steps of a sequence model that was trained at a rate of its own. */
export interface Pace {
  /** Median time between the source's frames, µs; NaN where it has one. */
  readonly frames: number;
  /** Time between the model's steps, µs; null where nobody knows. */
  readonly steps: number | null;
  /**
   * each: every frame is a step, at the model's rate, or at one that nobody can compare. nearest: frames are closer than
   * steps, so that a step is the frame nearest to its time. coarse: frames are further apart than steps; every frame is a
   * step, and the model's answers are those of a model outside of its rate.
   */
  readonly way: "each" | "nearest" | "coarse";
}

export function paceOf(frames: number, steps: number | null): Pace {
  const ratio = steps === null ? 1 : frames / steps;
  const way = ratio < 1 / ALIKE ? "nearest" : ratio > ALIKE ? "coarse" : "each";
  return { frames, steps, way };
}

/** 24 and 25 frames a second are one rate, and 29.97 and 30; 25 and 30 are two. */
const ALIKE = 1.1;
