import type { Label } from "../records.ts";
import type { LabelFile, LabelledPerson, LabelPoint } from "./types.ts";

/** When a frame is seen, on a label file's clock: what is nearer to it than to its neighbours lies within `from`..`to`. */
export interface Moment {
  readonly at: number;
  readonly from: number;
  readonly to: number;
  /** Microseconds of one unit of the clock. */
  readonly unit: number;
}

/** A place of a frame among those of its video. */
export interface Place {
  readonly index: number;
  readonly pts: number;
}

/** What one person's face is said to show in a frame. */
export interface Said extends Pick<LabelPoint, "box"> {
  /** Position among the file's people. */
  readonly person: number;
  /** Positions of the person's points that it is made of: one or two. */
  readonly points: readonly number[];
  readonly label: Label;
}

/** The moment of a frame between its neighbours; a frame alone takes what is within 20 ms. */
export function momentOf(clock: LabelFile["clock"], frame: Place, before?: Place, after?: Place): Moment {
  const at = frame[clock];
  const left = before && (at - before[clock]) / 2;
  const right = after && (after[clock] - at) / 2;
  const alone = clock === "pts" ? ALONE : 0.5;
  const other = after ?? before;
  const unit =
    clock === "pts" ? 1 : other === undefined ? 2 * ALONE : (frame.pts - other.pts) / (frame.index - other.index);
  return { at, from: at - (left ?? right ?? alone), to: at + (right ?? left ?? alone), unit };
}

/** Half a frame of 25 a second, microseconds. */
const ALONE = 20_000;

/**
 * What is said of each person at a moment; nothing of whom nothing is said. `nearest`: the label that is nearest, if no
 * other frame is nearer to it. `linear`: between the labels before and after, if they are at most `maxGap` seconds apart;
 * at the ends and in longer gaps as `nearest`. Boxes go as labels do.
 */
export function saidAt(
  { people }: LabelFile,
  moment: Moment,
  { between, maxGap }: { readonly between: "nearest" | "linear"; readonly maxGap: number },
): Said[] {
  return people.flatMap(({ points }, person) => {
    const next = firstAfter(points, moment.at);
    const [a, b] = [points[next - 1], points[next]];
    const gap = a && b ? ((b.at - a.at) * moment.unit) / 1e6 : Number.POSITIVE_INFINITY;
    if (between === "linear" && gap <= maxGap) {
      const at = moment.at === a!.at ? [next - 1] : [next - 1, next];
      return [{ person, points: at, ...blend(a!, b!, moment.at) }];
    }
    const found = nearest(a, b, moment);
    return found === undefined
      ? []
      : [{ person, points: [found === a ? next - 1 : next], label: found.label, box: found.box }];
  });
}

/** Position of the first point after a time. */
function firstAfter(points: LabelledPerson["points"], at: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearest(a: LabelPoint | undefined, b: LabelPoint | undefined, { at, from, to }: Moment) {
  const earlier = a !== undefined && a.at >= from ? a : undefined;
  const later = b !== undefined && b.at <= to ? b : undefined;
  if (earlier === undefined || later === undefined) return earlier ?? later;
  return at - earlier.at <= later.at - at ? earlier : later;
}

function blend(a: LabelPoint, b: LabelPoint, at: number): Pick<LabelPoint, "label" | "box"> {
  const share = (at - a.at) / (b.at - a.at);
  // A label on the spot stays as it was written, to the last bit.
  const mix = (from: number, to: number): number => (share === 0 ? from : from + (to - from) * share);
  const label = { valence: mix(a.label.valence, b.label.valence), arousal: mix(a.label.arousal, b.label.arousal) };
  if (a.box === null || b.box === null) return { label, box: null };
  const side = (name: "x" | "y" | "width" | "height"): number => mix(a.box![name], b.box![name]);
  return { label, box: { x: side("x"), y: side("y"), width: side("width"), height: side("height") } };
}
