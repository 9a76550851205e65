import { mkdir, readdir, readFile, rename, rmdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { TempFolder } from "../../cache/temp.ts";
import { diskError, makeFolder, syncFolder } from "../../disk.ts";
import { PipeError } from "../../errors.ts";
import { afewVaLayout } from "./afew-va-layout.ts";
import { MODEL } from "./affect-model.ts";
import { RATES, type Rate } from "./affect-tracks.ts";
import { faceClip } from "./face-clip.ts";
import type { FaceLayout } from "./face-layout.ts";
import { type FaceClipTruth, TRUTH_FILE } from "./faces-truth.ts";
import { LAYOUTS, type LayoutName, ORACLE_FILE, type OracleFile, type Recipe } from "./oracle-file.ts";
import { oracleTable } from "./oracle-scores.ts";
import { sewaLayout } from "./sewa-layout.ts";

export interface FacesOptions {
  /** The folder to make: absent, empty, or already holding exactly what is asked for. */
  readonly output: string;
  /** Whose layout; default "afew-va". */
  readonly layout?: LayoutName;
  /** 1..999, default 600. */
  readonly clips?: number;
  /** Of each clip, 1..99,999, default 32. */
  readonly frames?: number;
  /** How many people the clips are of, taking turns; default one for every two clips. */
  readonly actors?: number;
  /** Default 1. */
  readonly seed?: number | string;
  /** Frames per second, default 50, so that 8 frames are 160 ms; an image layout does not record it, `oracle.json` does. */
  readonly rate?: Rate;
  /** Frames drawn at a time; changes no byte. Default: two a core. */
  readonly concurrency?: number;
  /** Ends it with nothing left behind. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each clip. */
  readonly onClip?: (done: number, clips: number) => void;
}

export interface SynthesisedFaces {
  /** Absolute path of what was made. */
  readonly folder: string;
  readonly clips: number;
  /** Of all clips together. */
  readonly frames: number;
  /** False where the folder already held it. */
  readonly made: boolean;
  readonly oracle: OracleFile;
}

/**
 * Draws a dataset of labelled faces, with a known answer to how well it can be predicted: `clips` clips of `frames`
 * frames in the exact layout of AFEW-VA or SEWA, and beside them `truth.jsonl` (exact labels and everything that was
 * drawn) and `oracle.json` (what the best predictors from 1, 2, 4, … frames reach). How affect shows on the faces is
 * told in `affect-model.ts`. The same options give the same bytes. The dataset appears whole or not at all.
 *
 * @throws PipeError when an option is out of range, the folder holds something else, or it cannot be written
 */
export async function synthFaces(options: FacesOptions): Promise<SynthesisedFaces> {
  const recipe = recipeOf(options);
  const layout = LAYOUT[recipe.layout];
  const { concurrency = 2 * availableParallelism(), signal, onClip } = options;
  checkWhole("concurrency", concurrency, 1, Number.MAX_SAFE_INTEGER);
  const folder = resolve(options.output);
  const total = recipe.clips * recipe.frames;
  const there = await foundIn(folder, recipe);
  if (there !== undefined) return { folder, clips: recipe.clips, frames: total, made: false, oracle: there };

  try {
    await makeFolder(dirname(folder));
    await using temp = await TempFolder.make(dirname(folder));
    const place = join(temp.path, basename(folder));
    await mkdir(place);
    const truth = await writeClips(recipe, layout, place, { concurrency, signal }, onClip);
    const oracle: OracleFile = { ...recipe, model: MODEL, oracle: oracleTable(truth, recipe.rate) };
    await writeFile(join(place, TRUTH_FILE), truth.map((clip) => `${JSON.stringify(clip)}\n`).join(""));
    await writeFile(join(place, ORACLE_FILE), `${JSON.stringify(oracle, null, 2)}\n`);
    signal?.throwIfAborted();
    await publish(place, folder);
    return { folder, clips: recipe.clips, frames: total, made: true, oracle };
  } catch (error) {
    throw diskError(error, folder);
  }
}

const LAYOUT: Readonly<Record<LayoutName, FaceLayout>> = { "afew-va": afewVaLayout, sewa: sewaLayout };

/** To be raised whenever the same options give other bytes. */
const VERSION = 2;

function recipeOf({ layout = "afew-va", clips = 600, frames = 32, actors, seed = 1, rate = 50 }: FacesOptions): Recipe {
  if (!LAYOUTS.includes(layout))
    throw new PipeError(`There is no layout "${layout}".`, { hint: `Layouts: ${LAYOUTS.join(", ")}.` });
  const { most } = LAYOUT[layout];
  checkWhole("clips", clips, 1, most.clips);
  checkWhole("frames", frames, 1, most.frames);
  const people = actors ?? Math.ceil(clips / 2);
  checkWhole("actors", people, 1, clips);
  if (!RATES.includes(rate))
    throw new PipeError(`There is no rate of ${rate} frames per second.`, { hint: `Rates: ${RATES.join(", ")}.` });
  return { version: VERSION, layout, clips, frames, actors: people, seed: String(seed), rate };
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new PipeError(`${name} must be a whole number ${range}, got ${value}.`);
}

async function writeClips(
  { clips, frames, actors, seed, rate }: Recipe,
  layout: FaceLayout,
  place: string,
  options: { concurrency: number; signal: AbortSignal | undefined },
  onClip: FacesOptions["onClip"],
): Promise<FaceClipTruth[]> {
  const truth: FaceClipTruth[] = [];
  for (let i = 0; i < clips; i++) {
    options.signal?.throwIfAborted();
    const actor = i % actors;
    const plan = { ...layout.size, seed: `${seed}/clip-${i}`, actor: `${seed}/actor-${actor}`, frames, rate };
    truth.push(
      await layout.write(faceClip(plan), { clip: i, actor, take: Math.floor(i / actors), frames }, place, options),
    );
    onClip?.(i + 1, clips);
  }
  return truth;
}

/** The folder's own oracle where it holds exactly this dataset; undefined where there is room for it. */
async function foundIn(folder: string, recipe: Recipe): Promise<OracleFile | undefined> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    if (error.code === "ENOTDIR") return [basename(folder)];
    throw diskError(error, folder);
  });
  if (names.length === 0) return undefined;
  const text = await readFile(join(folder, ORACLE_FILE), "utf8").catch(() => "null");
  const found = parsed(text) as OracleFile | null;
  const hint = "Choose another output folder, or remove this one first.";
  if (found === null) throw new PipeError(`${folder} holds something else.`, { hint });
  const differing = Object.entries(recipe).filter(([key, value]) => found[key as keyof Recipe] !== value);
  if (differing.length === 0 && isDeepStrictEqual(MODEL, found.model)) return found;
  const names_ = differing.map(([key]) => key).join(", ") || "model";
  throw new PipeError(`${folder} holds drawn faces with another ${names_}.`, { hint });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** One rename puts the dataset into its place. */
async function publish(place: string, folder: string): Promise<void> {
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(place, folder);
  await syncFolder(dirname(folder));
}
