import type { Json } from "../../digest.ts";
import { PipeError } from "../../errors.ts";
import { makerIn } from "../frame-model.ts";

/** What a fold's cache entries are. */
export interface Contents {
  /** What each holds, by its folder. */
  readonly digests: ReadonlyMap<string, string>;
  /** sha256 of the frame model that made them; undefined where it was untrained. */
  readonly maker: string | undefined;
}

/**
 * What a fold's entries hold, and whose latents they are. Throws a PipeError that names the fields where entries were made in
 * different ways: by another checkpoint, of other crops, with another version.
 */
export async function contentsOf(folders: readonly string[]): Promise<Contents> {
  const { contentDigest, readMarker } = await import("../../cache/marker.ts");
  const { recipeDifference } = await import("../../cache/recipe.ts");
  const digests = new Map<string, string>();
  let first: { readonly name: string; readonly keyParts: Json } | undefined;
  for (const folder of folders) {
    const marker = await readMarker(folder);
    if ("problem" in marker)
      throw new PipeError(`${folder} is not an intact cache entry: ${marker.problem}.`, {
        hint: "Run the pipeline that made it again: it replaces broken entries.",
      });
    first ??= { name: marker.source.name, keyParts: marker.keyParts };
    const changed = recipeDifference(first.keyParts, marker.keyParts);
    if (changed.length > 0)
      throw new PipeError(
        `The latents of ${first.name} and of ${marker.source.name} were made in different ways: ${changed.join("; ")}.`,
        { hint: "Train on latents of one checkpoint, one kind of crop and one version." },
      );
    digests.set(folder, contentDigest(marker));
  }
  return { digests, maker: first && makerIn(first.keyParts) };
}
