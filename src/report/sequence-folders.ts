import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { PipeError } from "../errors.ts";
import { checkOneExperiment } from "./one-experiment.ts";
import { type SequenceTraining, trainingsIn } from "./sequence-runs.ts";
import { shownFolder } from "./shown-folder.ts";

/**
 * The finished trainings of `train-seq` that `patterns` name: folders that it wrote, folders of such folders, or globs. Each
 * folder counts once, and is one run of the same experiment, with a seed of its own.
 *
 * A pattern is a path first: only where nothing of that name exists is it read as a glob.
 *
 * @param note is told of what a glob names that holds no training
 * @throws PipeError for a pattern that names no finished training, and for folders that do not go together
 */
export async function namedTrainings(
  patterns: readonly string[],
  note: (message: string) => void = () => {},
): Promise<SequenceTraining[]> {
  const folders = new Map<string, SequenceTraining[]>();
  for (const pattern of patterns)
    for (const found of await matches(pattern, note)) {
      // The same folder under two names, by patterns or links, is one.
      const real = await realpath(found[0].input);
      if (!folders.has(real)) folders.set(real, found);
    }
  checkOneExperiment([...folders.values()]);
  return [...folders.values()].flat();
}

/** Trainings of one folder; there is at least one. */
type Found = [SequenceTraining, ...SequenceTraining[]];

async function matches(pattern: string, note: (message: string) => void): Promise<Found[]> {
  const path = resolve(pattern);
  const there = await stat(path).catch(() => undefined);
  const globbed = there === undefined && isDynamicPattern(pattern);
  const folders = globbed ? await foldersLike(pattern) : [path];
  const found: Found[] = [];
  for (const folder of folders) {
    const held = await heldBy(folder);
    found.push(...held);
    if (held.length === 0 && globbed && !pattern.includes("**"))
      note(`${shownFolder(folder)} holds no finished training of sequences, and is passed over.`);
  }
  if (found.length > 0) return found;
  throw new PipeError(
    globbed
      ? `The glob ${JSON.stringify(pattern)} names no folder with a finished training of sequences.`
      : `${pattern} holds no finished training of sequences.`,
    { hint: "pipe run train-seq makes one." },
  );
}

async function foldersLike(pattern: string): Promise<string[]> {
  // By what lies in them: links to folders are not found by their own names.
  const found = await glob(`${pattern.replace(/\/+$/, "")}/*`, {
    absolute: true,
    onlyDirectories: true,
    expandDirectories: false,
    // A link to a folder far up would have `**` search the whole disk.
    followSymbolicLinks: !pattern.includes("**"),
  });
  return [...new Set(found.map((path) => dirname(resolve(path))))].sort();
}

/** The folder's own trainings, or else those of the folders in it. */
async function heldBy(folder: string): Promise<Found[]> {
  const own = await trainingsIn(folder);
  if (isFound(own)) return [own];
  // What is no folder, or a link to none, has nothing in it.
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(names.sort().map((name) => trainingsIn(join(folder, name))));
  return found.filter(isFound);
}

function isFound(trainings: SequenceTraining[]): trainings is Found {
  return trainings.length > 0;
}
