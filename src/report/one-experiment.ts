import { recipeDifference } from "../cache/recipe.ts";
import { canonical, type Json } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { SequenceTraining } from "./sequence-runs.ts";
import { shownFolder } from "./shown-folder.ts";

/**
 * Folders that `train-seq` wrote go together when they are runs of one experiment: the same data, parted into the same
 * folds, trained in the same way, and each training with a seed of its own. What one folder alone holds is not looked at.
 *
 * @param folders the trainings of each folder
 * @throws PipeError that names two folders and what is the matter
 */
export function checkOneExperiment(folders: readonly (readonly SequenceTraining[])[]): void {
  const before: SequenceTraining[] = [];
  for (const trainings of folders) {
    for (const training of trainings) compare(training, before);
    before.push(...trainings);
  }
}

function compare(one: SequenceTraining, before: readonly SequenceTraining[]): void {
  const ofFold = before.filter(({ fold }) => fold === one.fold);
  const ofModel = before.filter(({ model, n }) => model === one.model && n === one.n);
  const twice = ofModel.find(({ fold, seed }) => fold === one.fold && seed === one.seed);
  if (twice)
    throw new PipeError(
      `${placesOf(one, twice)} both hold fold ${one.fold}, ${one.model}-${one.n}, seed ${one.seed}, which would count twice.`,
      { hint: "Name one of them; another run needs another seed: pipe run train-seq --seed 2 --output DIR" },
    );
  differ(one, before, "data", dataOf);
  differ(one, ofFold, "folds", ({ result }) => ({ split: memberOf(memberOf(result.keyParts, "data"), "split") }));
  differ(one, ofFold, "data", ({ result }) => ({ content: result.source.digest }));
  const ofLength = ofFold.filter(({ n }) => n === one.n);
  differ(one, ofLength, "windows", ({ result }) => ({
    windows: memberOf(memberOf(result.keyParts, "data"), "windows"),
  }));
  differ(one, ofModel, "options", ({ result }) => optionsOf(result.keyParts));
}

const HINTS = {
  data: "Trainings of other data are another experiment: evaluate them by themselves.",
  folds:
    "Means over seeds are of the same folds: train labelled videos with one --split-seed, and data sets with latents of one split.",
  windows: "Means over seeds are of the same windows: train with one setting of window-sequences.",
  options: "Trainings with other options are another experiment: evaluate them by themselves.",
} as const;

/** Compares with the first of the others: these have been compared among themselves. */
function differ(
  one: SequenceTraining,
  [other]: readonly SequenceTraining[],
  what: keyof typeof HINTS,
  of: (training: SequenceTraining) => Json,
): void {
  if (other === undefined || canonical(of(one)) === canonical(of(other))) return;
  const differences = recipeDifference(of(other), of(one)).join("; ");
  const where = `fold ${one.fold}, ${one.model}-${one.n}`;
  throw new PipeError(
    `${placesOf(one, other)} were not trained with the same ${what}, and do not go together (${where}: ${differences}).`,
    { hint: HINTS[what] },
  );
}

function dataOf({ dataset, folds, range: { valence, arousal } }: SequenceTraining): Json {
  return { dataset, folds, range: { valence: [...valence], arousal: [...arousal] } };
}

/**
 * All that decides a training's bytes, but its data, its seed and what it starts from: a training of that seed, or the frame
 * model of its fold.
 */
function optionsOf(keyParts: Json): Json {
  const { data: _, from: __, frame: ___, options, ...rest } = membersOf(keyParts);
  const { seed: ____, ...others } = membersOf(options);
  return { ...rest, options: others };
}

function memberOf(value: Json | undefined, name: string): Json {
  return membersOf(value)[name] ?? null;
}

function membersOf(value: Json | undefined): { readonly [name: string]: Json | undefined } {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as { readonly [name: string]: Json | undefined })
    : {};
}

function placesOf(one: SequenceTraining, other: SequenceTraining): string {
  return `${shownFolder(other.input)} and ${shownFolder(one.input)}`;
}
