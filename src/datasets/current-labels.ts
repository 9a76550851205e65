import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MARKER } from "../cache/marker.ts";
import { originOf } from "../cache/origin.ts";
import { sightingsOf } from "../cache/sightings.ts";
import type { Stored } from "../cache/stored.ts";
import { digestFile } from "../digest.ts";
import { findLabelFile } from "./label-path.ts";

/**
 * Of cached videos whose labels were edited, the entry with the labels as they are now. After an edit the cache has an
 * entry for the old labels and one for the new, made of the same bytes in the same way; all others pass as they are.
 *
 * - Where the video still lies where a run last saw it: the entry whose label file is the one beside the video now. Without
 *   a label file there, the entry without labels.
 * - Where that cannot be told, or no entry has those labels: of the entries with labels, the one that a run made or found
 *   last, and among those that no run wrote down the one whose marker was written last.
 * - Where copies of a video lie in several places, each with labels of its own, no entry is older than the other: all stay.
 *
 * @param note hears what is left out, and whose labels have changed since their latents were made
 */
export async function currentLabels(
  entries: readonly Stored[],
  { signal, note }: { signal: AbortSignal; note(message: string): void },
): Promise<Stored[]> {
  const left = new Set<Stored>();
  const changed: string[] = [];
  for (const same of sameVideos(entries)) {
    if (same.every(({ marker }) => originOf(marker).labels === null)) continue;
    signal.throwIfAborted();
    const { kept, current } = await choose(same);
    if (!current) changed.push(same[0]!.name);
    for (const one of same) if (!kept.includes(one)) left.add(one);
  }
  if (left.size > 0)
    note(
      `${left.size === 1 ? "an older entry" : `${left.size} older entries`}, made of other labels, ${left.size === 1 ? "is" : "are"} left out: ${some([...left].map(inWords))}.`,
    );
  if (changed.length > 0)
    note(
      `the labels beside ${some(changed)} are not those of the cached latents: run extract-latents again to take them.`,
    );
  return entries.filter((one) => !left.has(one));
}

/** Entries of the same video, made in the same way: they differ in label files alone. */
function sameVideos(entries: readonly Stored[]): Stored[][] {
  const groups = new Map<string, Stored[]>();
  for (const one of entries) {
    const name = `${originOf(one.marker).digest} ${one.recipe}`;
    const own = groups.get(name);
    if (own) own.push(one);
    else groups.set(name, [one]);
  }
  return [...groups.values()];
}

/** `current`: false where the labels beside the video are known, and are those of no entry. */
async function choose(same: readonly Stored[]): Promise<{ kept: readonly Stored[]; current: boolean }> {
  const sightings = await sightingsOf(same[0]!.folder, same[0]!.marker);
  const beside = new Set<string | null>();
  for (const { path } of sightings) {
    const found = await labelsBeside(path, same[0]!.marker.source.bytes);
    if (found !== undefined) beside.add(found);
  }
  const labelled = same.filter(({ marker }) => originOf(marker).labels !== null);
  const right = labelled.filter(({ marker }) => beside.has(originOf(marker).labels));
  if (right.length > 0) return { kept: right, current: true };
  const bare = same.filter(({ marker }) => originOf(marker).labels === null);
  if (beside.has(null) && bare.length > 0) return { kept: bare, current: true };
  const asked = sightings.map(({ key }) => key);
  return { kept: [await newest(labelled, asked)], current: beside.size === 0 };
}

/** sha256 of the label file beside a video, null without one; undefined where the video is no longer there. */
async function labelsBeside(path: string, bytes: number): Promise<string | null | undefined> {
  const video = await stat(path).catch(() => undefined);
  // Another video of the same name, most likely; or an entry that was read, which has no files beside it.
  if (!video?.isFile() || video.size !== bytes) return undefined;
  try {
    const labels = await findLabelFile(path);
    return labels === undefined ? null : await digestFile(labels);
  } catch {
    return undefined;
  }
}

/** @param asked keys in the order in which runs last came by them */
async function newest(entries: readonly Stored[], asked: readonly string[]): Promise<Stored> {
  const ages = await Promise.all(
    entries.map(async (one) => ({
      one,
      asked: asked.lastIndexOf(one.marker.key),
      written: (await stat(join(one.folder, MARKER))).mtimeMs,
    })),
  );
  ages.sort((a, b) => b.asked - a.asked || b.written - a.written || (a.one.folder < b.one.folder ? -1 : 1));
  return ages[0]!.one;
}

const inWords = ({ name, folder }: Stored): string => `${name} (${basename(dirname(folder))}/${basename(folder)})`;

/** The first few, so that a note stays a note. */
function some(words: readonly string[]): string {
  const more = words.length - MOST;
  return `${words.slice(0, MOST).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

const MOST = 3;
