import type { Prediction } from "../../records.ts";
import type { ScoreRow } from "./row.ts";

/** A kernel beyond so many deviations weighs less than 1/2900 of its middle and is cut off. */
const REACH = 4;

/**
 * Smooths valence and arousal along time: at each scored row the mean of its own track's scores, weighted by a Gaussian of
 * their distance in time, Σ g(tᵢ − t) xᵢ / Σ g(tᵢ − t) with g of standard deviation `milliseconds`, cut off at
 * {@link REACH} deviations. The kernel is even, so nothing is shifted in time (zero phase); distances are those of the
 * presentation timestamps, so unsteady frame rates do no harm. Tracks end at shot changes, so nothing is smoothed across
 * them, nor from one face into another; rows without a score get none.
 *
 * Rows are given in their order, each once all that it leans on has come: those of about two reaches are held.
 */
export class Smoother {
  readonly #sigma: number;
  readonly #waiting: Prediction[] = [];
  readonly #samples = new Map<number, Sample[]>();

  /** @param milliseconds standard deviation; 0 leaves values as they are. */
  constructor(milliseconds: number) {
    this.#sigma = milliseconds * 1000;
  }

  /** Takes the next row; gives those that are done. Rows come by frame, `pts` not decreasing. */
  push(row: Prediction): ScoreRow[] {
    this.#waiting.push(row);
    if (row.valence !== null || row.arousal !== null) {
      const { track, pts, valence, arousal } = row;
      const samples = this.#samples.get(track) ?? [];
      this.#samples.set(track, samples);
      samples.push({ pts, valence: valence ?? Number.NaN, arousal: arousal ?? Number.NaN });
    }
    return this.#take(({ pts }) => row.pts > pts + this.#sigma * REACH);
  }

  /** No more rows will come. */
  end(): ScoreRow[] {
    return this.#take(() => true);
  }

  #take(isDone: (row: Prediction) => boolean): ScoreRow[] {
    let n = 0;
    while (n < this.#waiting.length && isDone(this.#waiting[n]!)) n += 1;
    const rows = this.#waiting.splice(0, n).map((row) => this.#smoothed(row));
    const oldest = this.#waiting[0]?.pts ?? Number.POSITIVE_INFINITY;
    if (rows.length > 0) this.#forget(oldest - this.#sigma * REACH);
    return rows;
  }

  #smoothed({ kind: _, image: _image, label: _label, ...row }: Prediction): ScoreRow {
    const samples = this.#samples.get(row.track) ?? [];
    return {
      ...row,
      valenceSmoothed: row.valence === null ? null : this.#mean(samples, row.pts, "valence", row.valence),
      arousalSmoothed: row.arousal === null ? null : this.#mean(samples, row.pts, "arousal", row.arousal),
    };
  }

  #mean(samples: readonly Sample[], at: number, name: "valence" | "arousal", own: number): number {
    if (this.#sigma === 0) return own;
    let [sum, weights] = [0, 0];
    for (const sample of samples) {
      const distance = (sample.pts - at) / this.#sigma;
      const value = sample[name];
      if (Math.abs(distance) > REACH || Number.isNaN(value)) continue;
      const weight = Math.exp(-0.5 * distance * distance);
      sum += weight * value;
      weights += weight;
    }
    return sum / weights;
  }

  #forget(before: number): void {
    for (const [track, samples] of this.#samples) {
      const kept = samples.findIndex(({ pts }) => pts >= before);
      if (kept < 0) this.#samples.delete(track);
      else if (kept > 0) samples.splice(0, kept);
    }
  }
}

interface Sample {
  readonly pts: number;
  readonly valence: number;
  readonly arousal: number;
}
