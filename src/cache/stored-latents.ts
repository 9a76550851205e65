import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { digestOf, type Json } from "../digest.ts";
import type { Latent } from "../records.ts";
import { checkEntry } from "./check.ts";
import { openEntry } from "./entry.ts";
import { entryFolder, namesIn } from "./layout.ts";
import { type Marker, readMarker } from "./marker.ts";

/**
 * An intact entry of a source that was made by the same steps, less those named in `without`; undefined where there is
 * none. Entries in eight bits are none: their values are not those that were given, so that they cannot be stored again.
 */
export async function entryLike(
  output: string,
  digest: string,
  parts: Json,
  without: ReadonlySet<string>,
): Promise<string | undefined> {
  const wanted = stepsDigest(parts, without);
  // Any key will do to find the folder of the source.
  const folder = resolve(dirname(entryFolder(output, digest, digest)));
  for (const name of await namesIn(folder)) {
    const marker = await readMarker(join(folder, name));
    if ("problem" in marker || marker.latents.dtype === "uint8") continue;
    if (wanted === undefined || stepsDigest(marker.keyParts, without) !== wanted) continue;
    const { problems } = await checkEntry(join(folder, name), { trust: true });
    if (problems.length === 0) return join(folder, name);
  }
  return undefined;
}

const stepsSchema = z.object({ steps: z.array(z.looseObject({ stage: z.string() })) });

function stepsDigest(parts: Json, without: ReadonlySet<string>): string | undefined {
  const steps = stepsSchema.safeParse(parts).data?.steps.filter(({ stage }) => !without.has(stage));
  return steps === undefined ? undefined : digestOf(steps as unknown as Json);
}

/**
 * The latents of an entry as they were before it was written, without labels. `begin` hears its marker before the first,
 * `end` after the last.
 */
export async function* latentsAgain(
  folder: string,
  hear: { readonly begin: (marker: Marker) => void; readonly end: (marker: Marker) => void },
): AsyncGenerator<Latent, void, void> {
  using entry = await openEntry(folder);
  hear.begin(entry.marker);
  for await (const { z: row, labels: _, ...rest } of entry.rows()) {
    const values = row === null ? null : new Float32Array(entry.size);
    if (values !== null) entry.readZ(row!, 1, values);
    yield { kind: "latent", ...rest, z: values, shape: entry.shape };
  }
  hear.end(entry.marker);
}
