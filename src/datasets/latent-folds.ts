import { z } from "zod";
import { chooseRecipe } from "../cache/recipe.ts";
import type { Stored } from "../cache/stored.ts";
import { canonical, digestOf, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { FoldedClip } from "../records.ts";
import { makeFolds, splitOf } from "./folds.ts";
import { oneSpelling } from "./person.ts";
import type { LabelRange } from "./types.ts";

/** All cached latents of one fold: those of its training, validation and test people. */
export interface LatentFold {
  /** From 0. */
  readonly fold: number;
  readonly folds: number;
  /** sha256 (hex) of the split and the fold's number. */
  readonly split: string;
  /** sha256 (hex) of the split, the fold and what its entries hold. */
  readonly digest: string;
  /** By clip id. */
  readonly clips: readonly { readonly stored: Stored; readonly clip: FoldedClip }[];
  /** What all its entries say, the labels' range among it where it is known. */
  readonly facts: Readonly<Record<string, Json>>;
}

export interface LatentFoldsOptions {
  /** Where the cache holds latents made in several ways, which: its first hex digits. */
  readonly recipe?: string | undefined;
  /** For latents that belong to no fold yet: how many folds, if there are people enough. */
  readonly folds: number;
  /** Decides who goes into which fold; apart from the seed of weights, so that seeds share their folds. */
  readonly splitSeed: number;
}

/**
 * The folds of a cache. Clips of a labelled data set know their fold, and each fold has latents of its own; plain videos
 * with labels are parted here, so that nobody stands in two folds, by the person whom their label file names, or else
 * video by video.
 *
 * @throws PipeError when nothing is labelled, when latents do not go together (made in two ways, of two splits, in two
 * label ranges), or when a fold lacks one of its three parts
 */
export function latentFolds(
  stored: readonly Stored[],
  options: LatentFoldsOptions,
  note: (message: string) => void,
): LatentFold[] {
  const chosen = stored.filter(({ recipe }) => recipe.startsWith(options.recipe ?? ""));
  if (chosen.length === 0) oneRecipe(stored, options.recipe);
  const folded = chosen.filter(({ clip }) => clip !== undefined);
  if (folded.length === 0) return splitVideos(chosen, options, note);
  if (folded.length < chosen.length)
    throw new PipeError(
      `The folder holds latents of a labelled data set's folds and of other videos, which do not go together: ${folded[0]!.name} and ${chosen.find(({ clip }) => !clip)!.name}.`,
      { hint: "Give each a folder of its own: --output DIR when they are made." },
    );
  return knownFolds(folded as FoldedEntry[], note);
}

type FoldedEntry = Stored & { readonly clip: FoldedClip };

function knownFolds(entries: readonly FoldedEntry[], note: (message: string) => void): LatentFold[] {
  const numbers = [...new Set(entries.map(({ clip }) => clip.fold))].sort((a, b) => a - b);
  const ids = new Set(entries.map(({ clip }) => clip.id));
  return numbers.map((fold) => {
    const own = entries.filter(({ clip }) => clip.fold === fold);
    oneRecipe(own, undefined);
    const splits = new Set(own.map(({ clip }) => clip.digest));
    if (splits.size > 1)
      throw new PipeError(`The latents of fold ${fold} are of ${splits.size} splits, which do not go together.`, {
        hint: "Give the latents of each split (data, seed, number of folds) a folder of their own: --output DIR",
      });
    onceEach(own, ({ clip }) => clip!.id);
    if (own.length < ids.size)
      note(`fold ${fold} lacks ${ids.size - own.length} of the ${ids.size} clips that other folds have.`);
    return foldOf(own.map((stored) => ({ stored, clip: stored.clip })));
  });
}

/** Videos that nobody parted before. */
function splitVideos(
  entries: readonly Stored[],
  { folds: wanted, splitSeed }: LatentFoldsOptions,
  note: (message: string) => void,
): LatentFold[] {
  oneRecipe(entries, undefined);
  const labelled = entries.filter(({ marker }) => labelsIn(marker.facts) > 0);
  // A video that got its labels later has an entry without them, too, which is no other video.
  onceEach(labelled, ({ marker }) => marker.source.digest);
  if (labelled.length === 0)
    throw new PipeError(`None of the ${entries.length} cached videos has labels, and there is nothing to learn.`, {
      hint: "Put clip.labels.csv beside each clip.mp4 and run extract-latents again; or take a labelled data set: pipe run extract-faces",
    });
  const { seen, alike } = peopleOf(labelled);
  for (const [one, other] of alike)
    note(`the label files name ${JSON.stringify(one)} and ${JSON.stringify(other)}: they are taken for one person.`);
  const groups = groupsOf(seen);
  const ids = idsOf(labelled);
  const people = new Set(groups).size;
  const folds = Math.min(wanted, people);
  if (folds < LEAST)
    throw new PipeError(
      `The ${labelled.length} labelled videos are of ${people} ${people === 1 ? "person" : "people"}, and people are parted into training, validation and test.`,
      { hint: `Label videos of ${LEAST} people or more; a label file may name them in a column "subject".` },
    );
  const clips = labelled.map(({ marker }, i) => ({
    id: ids[i]!,
    group: groups[i]!,
    frames: { length: labelsIn(marker.facts) },
  }));
  const made = makeFolds(clips, { folds, seed: splitSeed });
  const split = digestOf({ seed: splitSeed, folds: made } as unknown as Json);
  const left = new Set(entries.map(({ marker }) => marker.source.digest)).size - labelled.length;
  note(
    `${labelled.length} labelled videos of ${people} people are parted into ${folds} folds (seed ${splitSeed})${folds < wanted ? `, fewer than ${wanted}, since nobody may stand in two` : ""}${left > 0 ? `; ${left} without labels are left out` : ""}.`,
  );
  return made.map((_, fold) => {
    const parts = splitOf(made, fold);
    const partOf = new Map(PARTS.flatMap((part) => parts[part].map((id) => [id, part] as const)));
    const digest = digestOf([split, String(fold)]);
    return foldOf(
      labelled.map((stored, i) => {
        const { id, group, frames } = clips[i]!;
        return { stored, clip: { id, group, fold, folds, part: partOf.get(id)!, digest, labelled: frames.length } };
      }),
    );
  });
}

const PARTS = ["training", "validation", "test"] as const satisfies readonly FoldedClip["part"][];
/** To train, to validate, to test. */
const LEAST = 3;

function foldOf(unsorted: LatentFold["clips"]): LatentFold {
  const clips = [...unsorted].sort((a, b) => (a.clip.id < b.clip.id ? -1 : a.clip.id > b.clip.id ? 1 : 0));
  const { fold, folds, digest: split } = clips[0]!.clip;
  for (const part of PARTS)
    if (!clips.some(({ clip }) => clip.part === part))
      throw new PipeError(`Fold ${fold} has no latents of its ${part} people.`, {
        hint: "Run the pipeline that made them to its end: it goes on where it stopped.",
      });
  const held = clips.map(({ stored, clip }) => [clip.id, clip.group, clip.part, stored.digest]);
  return {
    fold,
    folds,
    split,
    digest: digestOf(["latents of a fold", split, String(fold), held]),
    clips,
    facts: commonFacts(clips),
  };
}

/** What all entries say alike. Labels in two ranges are in two units: they cannot be put together. */
function commonFacts(clips: LatentFold["clips"]): Record<string, Json> {
  const [first, ...others] = clips.map(({ stored }) => stored);
  const range = rangeOf(first!.marker.facts);
  for (const other of others) {
    const its = rangeOf(other.marker.facts);
    if (canonical((its ?? null) as unknown as Json) !== canonical((range ?? null) as unknown as Json))
      throw new PipeError(
        `${first!.name} has labels ${inWords(range)}, and ${other.name} ${inWords(its)}: they are not in one unit.`,
        { hint: "Give all label files one range, and run extract-latents again." },
      );
  }
  const same = Object.entries(first!.marker.facts).filter(([name, value]) =>
    others.every(({ marker }) => name in marker.facts && canonical(marker.facts[name]!) === canonical(value)),
  );
  return { ...Object.fromEntries(same), ...(range && { range: range as unknown as Json }) };
}

const interval = z.tuple([z.number(), z.number()]);
const range = z.object({ valence: interval, arousal: interval });

/** Lowest and highest label in native units, where the entry tells; older ones tell with the data set's name. */
function rangeOf(facts: Readonly<Record<string, Json>>): LabelRange | undefined {
  return range.safeParse(facts.range).data ?? range.safeParse(facts.labels).data;
}

function inWords(range: LabelRange | undefined): string {
  if (range === undefined) return "of no known range";
  return `from ${range.valence.join(" to ")} (valence) and ${range.arousal.join(" to ")} (arousal)`;
}

/** Rows with a label, as label-faces counted them. */
function labelsIn({ labelled }: Readonly<Record<string, Json>>): number {
  return typeof labelled === "number" ? labelled : 0;
}

/** Who is seen in each video, each person by one spelling of the name; a video that names nobody is a person by itself. */
function peopleOf(entries: readonly Stored[]): { seen: string[][]; alike: [first: string, other: string][] } {
  const named = entries.map(({ marker }) => peopleIn(marker.facts) ?? []);
  const all = [...new Set(named.flat())].sort();
  const { names, alike } = oneSpelling(all);
  const spelling = new Map(all.map((name, i) => [name, names[i]!]));
  const seen = named.map((people, i) =>
    people.length === 0 ? [entries[i]!.marker.source.digest] : people.map((name) => spelling.get(name)!).sort(),
  );
  return { seen, alike };
}

/** Videos that share a person are one group, and so are those that share one with them; named by the first of them. */
function groupsOf(people: readonly (readonly string[])[]): string[] {
  const group = new Map<string, string>();
  const rootOf = (name: string): string => {
    const above = group.get(name);
    return above === undefined || above === name ? name : rootOf(above);
  };
  for (const [first, ...others] of people)
    for (const other of others) {
      const [a, b] = [rootOf(first!), rootOf(other)].sort() as [string, string];
      group.set(b, a);
    }
  return people.map(([first]) => rootOf(first!));
}

/** Who is seen in a video, as its label file names them: those of whole tracks, and whoever was seen on theirs. */
function peopleIn(facts: Readonly<Record<string, Json>>): string[] | undefined {
  const named = z.record(z.string(), z.string()).safeParse(facts.subjects).data ?? {};
  const seen = z.array(z.string()).safeParse(facts.people).data ?? [];
  const alone = typeof facts.subject === "string" ? [facts.subject] : [];
  const people = [...new Set([...Object.values(named), ...seen, ...alone])];
  return people.length > 0 ? people.sort() : undefined;
}

/** The videos' names; where two have the same, with a few digits of their bytes' sha256. */
function idsOf(entries: readonly Stored[]): string[] {
  const count = new Map<string, number>();
  for (const { name } of entries) count.set(name, (count.get(name) ?? 0) + 1);
  return entries.map(({ name, marker }) =>
    count.get(name) === 1 ? name : `${name} (${marker.source.digest.slice(0, 8)})`,
  );
}

/** Throws where one clip has two entries, neither older than the other: copies of it lie beside different labels. */
function onceEach(entries: readonly Stored[], whose: (one: Stored) => string): void {
  const seen = new Map<string, Stored>();
  for (const one of entries) {
    const other = seen.get(whose(one));
    if (other)
      throw new PipeError(`${one.name} is in the cache twice, made of other labels: ${other.folder}, ${one.folder}.`, {
        hint: "Where copies of a video have different labels, keep those of one; or give each copy a cache of its own: --output DIR",
      });
    seen.set(whose(one), one);
  }
}

/** Throws unless all were made in the same way. */
function oneRecipe(entries: readonly Stored[], wanted: string | undefined): void {
  chooseRecipe(
    entries.map(({ recipe, marker }) => ({ recipe, parts: marker.keyParts })),
    wanted,
  );
}
