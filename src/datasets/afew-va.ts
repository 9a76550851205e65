import { readFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { PipeError } from "../errors.ts";
import { borrowedNote, clipFrames, type RawFrame, usableLandmarks } from "./clip-frames.ts";
import { inParallel } from "./parallel.ts";
import { oneSpelling } from "./person.ts";
import type { Dataset, LabelledClip, LabelRange, Skip } from "./types.ts";
import { type Folder, walk } from "./walk.ts";

export interface AfewVaOptions {
  /** Native units. Default −10..10, as the dataset's own description says. */
  readonly range?: LabelRange;
  /** How many frame numbers away landmarks may be borrowed (default 25, about a second). */
  readonly reach?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads the labels of AFEW-VA (Kossaifi et al. 2017): folders `NNN` at any depth with `NNN.json` and the pictures
 * `00000.png`, …; `{ video_id, actor, frames: { "00000": { valence, arousal, landmarks: [[x, y] × 68] } } }`.
 * Groups are the actors. Mirrors called `*_cropped` are not entered. A labelled frame is skipped where its picture is
 * not there, a label is no number, or neither it nor a frame near it has 68 landmarks.
 *
 * @throws PipeError when there is no clip, a clip's JSON is broken or has no actor, two clips have one number, or a
 * label is outside the range.
 */
export async function readAfewVa(
  folder: string,
  { range = AFEW_VA_RANGE, reach = 25, signal }: AfewVaOptions = {},
): Promise<Dataset> {
  const found: { file: string; folder: Folder }[] = [];
  const enter = (name: string): boolean => !name.endsWith("_cropped");
  for await (const each of walk(folder, { enter, ...(signal && { signal }) })) {
    const name = `${basename(each.path)}.json`;
    if (/^\d+\.json$/.test(name) && each.files.includes(name))
      found.push({ file: join(each.path, name), folder: each });
  }
  if (found.length === 0)
    throw new PipeError(`${folder}: there is no AFEW-VA clip in it.`, {
      hint: "A clip is a folder with a number, e.g. 001, that holds 001.json and its pictures 00000.png, 00001.png, …",
    });
  const read = await inParallel(
    found.length,
    FILES_AT_ONCE,
    (i) => readClip(folder, found[i]!.file, found[i]!.folder, { range, reach }),
    signal,
  );
  read.sort((a, b) => Number(a.clip.id) - Number(b.clip.id));
  refuseTwins(read);

  const clips = read.map(({ clip }) => clip).filter((clip) => clip.frames.length > 0);
  const skipped = read.flatMap((one) => one.skipped);
  if (clips.length === 0)
    throw new PipeError(`${folder}: no labelled frame can be used. The first: ${why(skipped[0])}`);
  const { names: groups, alike } = oneSpelling(clips.map((clip) => clip.group));
  const notes = alike.map(([one, other]) => `The actors ${one} and ${other} are taken as one.`);
  return {
    name: "afew-va",
    folder,
    range,
    points: POINTS,
    clips: clips.map((clip, i) => ({ ...clip, group: groups[i]! })),
    labelled: read.reduce((sum, one) => sum + one.labelled, 0),
    skipped,
    notes: [...notes, ...borrowedNote(clips)],
  };
}

export const AFEW_VA_RANGE: LabelRange = { valence: [-10, 10], arousal: [-10, 10] };

const POINTS = 68;
const FILES_AT_ONCE = 8;

interface Read {
  readonly file: string;
  readonly clip: LabelledClip;
  readonly labelled: number;
  readonly skipped: readonly Skip[];
}

async function readClip(
  root: string,
  path: string,
  { files, absent }: Folder,
  rules: { range: LabelRange; reach: number },
): Promise<Read> {
  const file = relative(root, path);
  const { actor, frames } = parse(file, await readFile(path, "utf8"));
  const id = basename(path, ".json");
  const [pictures, broken] = [new Set(files), new Set(absent)];
  const lacks = (picture: string): string | undefined => {
    if (pictures.has(picture)) return undefined;
    return broken.has(picture) ? `${picture} is a link to a file that is not there` : `there is no picture ${picture}`;
  };
  const raw = Object.entries(frames).map(([name, frame]) => rawFrame(name, frame, lacks(`${name}.png`)));
  const checked = clipFrames(file, raw, rules);
  const paths = checked.kept.map((frame) => join(dirname(path), `${frame.name}.png`));
  const clip = { id, group: actor, media: { kind: "images" as const, paths }, frames: checked.frames };
  const skipped =
    raw.length === 0 ? [{ where: file, reason: "it labels no frame", frames: 0 }] : (checked.skipped as Skip[]);
  return { file, clip, labelled: raw.length, skipped };
}

function rawFrame(name: string, value: unknown, unusable: string | undefined): RawFrame {
  const frame: Record<string, unknown> = isRecord(value) ? value : {};
  const points = Array.isArray(frame.landmarks) ? (frame.landmarks as unknown[]) : [];
  const pairs = points.every((point) => Array.isArray(point) && point.length === 2);
  return {
    name,
    id: /^\d+$/.test(name) ? Number(name) : Number.NaN,
    valence: numberIn(frame.valence),
    arousal: numberIn(frame.arousal),
    landmarks: pairs ? usableLandmarks((points as unknown[][]).flat().map(numberIn), POINTS) : null,
    ...(unusable !== undefined && { unusable }),
  };
}

function parse(file: string, text: string): { actor: string; frames: Record<string, unknown> } {
  const value = json(file, text);
  if (!isRecord(value) || !isRecord(value.frames))
    throw new PipeError(`${file}: it has no "frames".`, { hint: "Is it a file of AFEW-VA, and whole?" });
  const actor = typeof value.actor === "string" ? value.actor.normalize("NFC").trim().replace(/\s+/g, " ") : "";
  if (actor === "")
    throw new PipeError(`${file}: it does not say who the actor is.`, {
      hint: "Folds keep each actor's clips together; write the name, or take the clip's folder out.",
    });
  return { actor, frames: value.frames };
}

function json(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    try {
      // Python writes numbers that JSON does not have.
      return JSON.parse(text.replace(/([:[,]\s*)(?:NaN|-?Infinity)\b/g, "$1null"));
    } catch {
      throw new PipeError(`${file}: it is not JSON: ${(cause as Error).message}`, {
        hint: "Copy the file again, or take the clip's folder out.",
        cause,
      });
    }
  }
}

function refuseTwins(read: readonly Read[]): void {
  for (const [i, one] of read.entries()) {
    const twin = read[i + 1];
    if (twin !== undefined && Number(one.clip.id) === Number(twin.clip.id))
      throw new PipeError(`Clip ${one.clip.id} is there twice: ${one.file} and ${twin.file}.`, {
        hint: "Keep one of them; else its frames would stand in the data twice.",
      });
  }
}

/** JSON gives labels as 3 or 3.0, some tools write "3". */
function numberIn(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function why(skip: Skip | undefined): string {
  return skip === undefined ? "there is none." : `${skip.where}: ${skip.reason}.`;
}
