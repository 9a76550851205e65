import type { Moment, Said } from "./label-at.ts";
import type { LabelFile } from "./types.ts";

/** How the labels of a file fell on the frames of its video. */
export interface LabelUse {
  readonly all: number;
  /** Labels that some frame took. */
  readonly taken: number;
  /** Labels before the first frame and after the last; all others fell between frames, which took nearer ones. */
  readonly before: number;
  readonly after: number;
}

/** Counts which labels are taken, frame by frame. */
export class LabelCount {
  readonly #labels: LabelFile;
  readonly #taken: readonly Uint8Array[];
  #first: Moment | undefined;
  #last: Moment | undefined;
  #frames = 0;

  constructor(labels: LabelFile) {
    this.#labels = labels;
    this.#taken = labels.people.map(({ points }) => new Uint8Array(points.length));
  }

  /** A frame, and what is said of people in it. */
  add(moment: Moment, said: readonly Said[]): void {
    this.#first ??= moment;
    this.#last = moment;
    this.#frames += 1;
    for (const { person, points } of said) for (const point of points) this.#taken[person]![point] = 1;
  }

  /** Without frames all labels are after the last. */
  get use(): LabelUse {
    const [from, until] = [this.#first?.from ?? Number.NEGATIVE_INFINITY, this.#end];
    let [all, taken, before, after] = [0, 0, 0, 0];
    for (const [person, { points }] of this.#labels.people.entries())
      for (const [i, { at }] of points.entries()) {
        all += 1;
        if (this.#taken[person]![i] === 1) taken += 1;
        else if (at < from) before += 1;
        else if (at >= until) after += 1;
      }
    return { all, taken, before, after };
  }

  /** The time of the last frame, on the file's clock. */
  get last(): number | undefined {
    return this.#last?.at;
  }

  /** Where the frame after the last would be: what is sampled at a rate may go on until there. */
  get #end(): number {
    return this.#last === undefined ? Number.NEGATIVE_INFINITY : this.#last.at + 2 * (this.#last.to - this.#last.at);
  }

  /** Microseconds from frame to frame, and from label to label of the person who has most; null for one alone. */
  get intervals(): { readonly frames: number | null; readonly labels: number | null } {
    const [first, last] = [this.#first, this.#last];
    const frames = this.#frames < 2 ? null : ((last!.at - first!.at) * last!.unit) / (this.#frames - 1);
    const { points } = this.#labels.people.reduce((most, one) => (one.points.length > most.points.length ? one : most));
    const gaps = Float64Array.from(points.slice(1), ({ at }, i) => at - points[i]!.at).sort();
    const unit = last?.unit ?? 1;
    return { frames, labels: gaps.length === 0 ? null : gaps[gaps.length >> 1]! * unit };
  }
}
