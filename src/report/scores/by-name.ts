import { resolve } from "node:path";
import { folderNames, readMarker, type ScoreMarker } from "./entry.ts";

interface Index {
  /** The listing that was last gone through. */
  listing: ReadonlyMap<string, string>;
  readonly seen: Set<string>;
  /** Folders by the name of their video. */
  readonly folders: Map<string, string[]>;
}

const indexes = new Map<string, Index>();

/**
 * Markers of the scores whose video had this name: where an edited video was scored before. Each folder is read once a
 * process, when it is first seen, and those of the name once more; it only serves to name what changed, never to find scores.
 */
export async function markersByName(output: string, name: string): Promise<ScoreMarker[]> {
  const root = resolve(output);
  const index: Index = indexes.get(root) ?? { listing: new Map(), seen: new Set(), folders: new Map() };
  indexes.set(root, index);
  const listing = await folderNames(root);
  if (listing !== index.listing) await look(index, [...listing.values()]);
  index.listing = listing;
  const own = await Promise.all((index.folders.get(name) ?? []).map(readMarker));
  return own.filter((marker) => marker?.source.name === name) as ScoreMarker[];
}

async function look({ seen, folders }: Index, all: readonly string[]): Promise<void> {
  for (const folder of all.filter((one) => !seen.has(one)).sort()) {
    seen.add(folder);
    const name = (await readMarker(folder))?.source.name;
    if (name !== undefined) folders.set(name, [...(folders.get(name) ?? []), folder]);
  }
}
