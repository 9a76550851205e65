import { relative, resolve } from "node:path";
import { z } from "zod";
import { PipeError } from "../errors.ts";
import type { FoldedClip, Refused } from "../records.ts";
import { entryFolders } from "./layout.ts";
import { contentDigest, type Marker, readMarker } from "./marker.ts";
import { recipeOf } from "./recipe.ts";

/** One entry of a cache folder, as its marker tells; its shards were not looked at. */
export interface Stored {
  /** Absolute path of the entry. */
  readonly folder: string;
  /** Name of the source that it was made from. */
  readonly name: string;
  /** Bytes of its Arrow files. */
  readonly bytes: number;
  /** sha256 (hex) of what it holds. */
  readonly digest: string;
  /** How its latents were made: see {@link recipeOf}. */
  readonly recipe: string;
  /** Where its source was a clip of a labelled data set. */
  readonly clip: FoldedClip | undefined;
  readonly marker: Marker;
}

/**
 * Every entry in a cache folder by its marker, and those whose marker cannot be trusted, with the reason.
 *
 * @throws PipeError when there is none of either
 */
export async function storedIn(input: string, signal: AbortSignal): Promise<{ found: Stored[]; broken: Refused[] }> {
  const root = resolve(input);
  const folders = await entryFolders(root);
  if (folders.length === 0)
    throw new PipeError(`There are no cached latents in ${input}.`, {
      hint: "Make some: pipe run extract-latents --output DIR; or name their folder: --set read-latents.input=DIR",
    });
  const found: Stored[] = [];
  const broken: Refused[] = [];
  for (const folder of folders) {
    signal.throwIfAborted();
    const marker = await readMarker(folder);
    if ("problem" in marker)
      broken.push({ path: folder, name: relative(root, folder) || ".", refused: marker.problem });
    else found.push(entryOf(folder, marker));
  }
  return { found, broken };
}

function entryOf(folder: string, marker: Marker): Stored {
  return {
    folder,
    name: marker.source.name,
    bytes: marker.files.reduce((sum, file) => sum + file.bytes, 0),
    digest: contentDigest(marker),
    recipe: recipeOf(marker.keyParts),
    clip: clipIn(marker),
    marker,
  };
}

/** Whose fold an entry is of, where it is of one. */
export const clipIn = ({ facts }: Pick<Marker, "facts">): FoldedClip | undefined =>
  clipSchema.safeParse(facts.clip).data;

const clipSchema: z.ZodType<FoldedClip> = z.object({
  id: z.string(),
  group: z.string(),
  fold: z.int().nonnegative(),
  folds: z.int().positive(),
  part: z.enum(["training", "validation", "test"]),
  digest: z.string(),
  labelled: z.int().nonnegative(),
});
