import { PipeError } from "../errors.ts";
import { type Random, seeded } from "../random.ts";
import type { LabelledClip } from "./types.ts";

/** One part of the clips; each fold is the test set once. */
export interface Fold {
  /** Clip ids, sorted. */
  readonly clips: readonly string[];
  /** Actors or sessions, sorted; none stands in another fold. */
  readonly groups: readonly string[];
  /** Labelled frames. */
  readonly frames: number;
  /** Number of the fold that is kept for validation when this one is the test set. */
  readonly validation: number;
}

export interface FoldsOptions {
  /** At least 3: one to test, one to validate, one to train. Default 5. */
  readonly folds?: number;
  readonly seed: number;
}

/**
 * Subject-independent folds: the clips of a group stay together. Groups go, larger ones first, each into the fold that has
 * the fewest frames so far; among groups of about the same size (within a factor of two) the seed says which goes first.
 * So folds differ by no more frames than the largest group has.
 *
 * @throws PipeError when there are fewer groups than folds
 */
export function makeFolds(
  clips: readonly (Pick<LabelledClip, "id" | "group"> & { readonly frames: { readonly length: number } })[],
  { folds: count = 5, seed }: FoldsOptions,
): Fold[] {
  if (!Number.isInteger(count) || count < 3)
    throw new PipeError(`${count} folds cannot be made.`, { hint: "Take 3 or more: to train, to validate, to test." });
  const groups = new Map<string, { name: string; clips: string[]; frames: number }>();
  for (const clip of clips) {
    const group = groups.get(clip.group) ?? { name: clip.group, clips: [], frames: 0 };
    groups.set(clip.group, group);
    group.clips.push(clip.id);
    group.frames += clip.frames.length;
  }
  if (groups.size < count)
    throw new PipeError(
      `${groups.size} group${groups.size === 1 ? "" : "s"} (actors or sessions) cannot fill ${count} folds.`,
      { hint: "Ask for fewer folds: clips of one group may not be parted." },
    );

  // Sorted first, so that the order in which clips were found makes no difference.
  const order = shuffled(
    [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    seeded(seed).fork("folds"),
  ).sort((a, b) => sizeClass(b.frames) - sizeClass(a.frames));
  const folds = Array.from({ length: count }, () => ({
    clips: [] as string[],
    groups: [] as string[],
    frames: 0,
  }));
  for (const group of order) {
    const emptiest = folds.reduce((least, fold) => (before(fold, least) ? fold : least));
    emptiest.clips.push(...group.clips);
    emptiest.groups.push(group.name);
    emptiest.frames += group.frames;
  }
  return folds.map(({ clips, groups, frames }, i) => ({
    clips: clips.sort(byText),
    groups: groups.sort(byText),
    frames,
    validation: (i + 1) % count,
  }));
}

/** Clip ids of the three sets when fold `test` is the test set. */
export interface Split {
  readonly training: readonly string[];
  readonly validation: readonly string[];
  readonly test: readonly string[];
}

/** @throws PipeError when there is no such fold */
export function splitOf(folds: readonly Fold[], test: number): Split {
  const fold = folds[test];
  if (fold === undefined)
    throw new PipeError(`There is no fold ${test}.`, { hint: `Folds are counted 0 to ${folds.length - 1}.` });
  return {
    training: folds.filter((_, i) => i !== test && i !== fold.validation).flatMap(({ clips }) => clips),
    validation: folds[fold.validation]!.clips,
    test: fold.clips,
  };
}

interface Filling {
  readonly groups: readonly string[];
  readonly frames: number;
}

/** Fewer frames first; a fold without a group before all others, even where groups have no frames. */
function before(a: Filling, b: Filling): boolean {
  const [emptyA, emptyB] = [a.groups.length === 0, b.groups.length === 0];
  return emptyA === emptyB ? a.frames < b.frames : emptyA;
}

function sizeClass(frames: number): number {
  return Math.floor(Math.log2(Math.max(1, frames)));
}

/** Fisher–Yates, on a copy. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
