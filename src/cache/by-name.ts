import { resolve } from "node:path";
import type { Json } from "../digest.ts";
import { entryFolders } from "./layout.ts";
import { readMarker } from "./marker.ts";

const indexes = new Map<string, Promise<Map<string, Json[]>>>();

/**
 * Key parts of the entries whose source had this name when they were made: where an edited video was stored before.
 * Read once a process for each output folder; it only serves to name what changed, never to find latents.
 */
export async function partsByName(output: string, name: string): Promise<readonly Json[]> {
  const folder = resolve(output);
  const index = indexes.get(folder) ?? read(folder);
  indexes.set(folder, index);
  return (await index).get(name) ?? [];
}

async function read(output: string): Promise<Map<string, Json[]>> {
  const index = new Map<string, Json[]>();
  for (const folder of await entryFolders(output)) {
    const marker = await readMarker(folder);
    if ("problem" in marker) continue;
    const { name } = marker.source;
    index.set(name, [...(index.get(name) ?? []), marker.keyParts]);
  }
  return index;
}
