import { readdir, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { taskFields, VERSIONS } from "../../cache/marker.ts";
import { publish } from "../../cache/publish.ts";
import { readSealed, sealed } from "../../cache/sealed.ts";
import type { TempFolder } from "../../cache/temp.ts";
import { digestFile, type Json } from "../../digest.ts";
import { diskError, syncFolder } from "../../disk.ts";
import type { Source } from "../../records.ts";
import { safeFolders, safeStem } from "../../safe-name.ts";

/** The commit marker: written last, so a folder without it was never finished. */
export const MARKER = "marker.json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const schema = z.strictObject({
  format: z.literal(1),
  kind: z.literal("scores"),
  ...taskFields,
  /** What an index shows of it. */
  overview: z.strictObject({
    frames: count,
    seconds: z.number().nonnegative(),
    tracks: count,
    coverage: z.number(),
    valence: z.number().nullable(),
    arousal: z.number().nullable(),
  }),
  files: z.array(z.strictObject({ name: z.string().regex(/^[\w.-]+$/), bytes: count, sha256 })).min(1),
});
/** What `marker.json` says of one video's scores. */
export type ScoreMarker = z.output<typeof schema>;
export type Overview = ScoreMarker["overview"];

/**
 * Where a video's scores lie, or are to lie: in the folders that the video's name has, one folder a content,
 * `2019/cam1/NAME-<12 hex digits of its sha256>`. The name is that which the video had when it was first scored; a renamed
 * or moved one is found by its digits.
 *
 * @param folders what {@link folderNames} gives, where it is known already
 */
export async function scoresFolder(
  output: string,
  { name, digest }: Pick<Source, "name" | "digest">,
  folders?: ReadonlyMap<string, string>,
): Promise<string> {
  const ending = `-${digest.slice(0, 12)}`;
  const own = join(resolve(output), ...safeFolders(name).map(unlikeScores), `${safeStem(name)}${ending}`);
  if (await exists(own)) return own;
  return (folders ?? (await folderNames(resolve(output)))).get(ending) ?? own;
}

/** A folder of videos whose name ends as a folder of scores does is not taken for one. */
const unlikeScores = (name: string): string => (ENDING.test(name) ? `${name}_` : name);

/** All folders of scores in an output and the folders in it, finished or not, sorted: absolute paths. */
export async function scoresFolders(output: string): Promise<string[]> {
  return [...(await folderNames(resolve(output))).values()].sort();
}

const trees = new Map<string, { readonly listings: readonly Listing[]; readonly found: ReadonlyMap<string, string> }>();

/** Absolute paths of folders of scores by their endings, in an output and the folders in it; the same map until one changes. */
export async function folderNames(output: string): Promise<ReadonlyMap<string, string>> {
  const [folders, listings] = [[output], [] as Listing[]];
  for (const folder of folders) {
    const listing = await listed(folder);
    listings.push(listing);
    folders.push(...listing.others.map((name) => join(folder, name)));
  }
  const known = trees.get(output);
  if (known?.listings.length === listings.length && known.listings.every((each, i) => each === listings[i]))
    return known.found;
  const found = new Map(
    listings.flatMap(({ scores }, i) => scores.map((name) => [name.slice(-13), join(folders[i]!, name)] as const)),
  );
  trees.set(output, { listings, found });
  return found;
}

interface Listing {
  /** Names of folders of scores, and of other folders. */
  readonly scores: readonly string[];
  readonly others: readonly string[];
}

const NOTHING: Listing = { scores: [], others: [] };
const listings = new Map<string, { readonly print: bigint; readonly listing: Promise<Listing> }>();

/** What is in a folder, read again when it has changed. Links are not followed, and hidden folders hold no scores. */
async function listed(folder: string): Promise<Listing> {
  const print = (await stat(folder, { bigint: true }).catch(() => undefined))?.mtimeNs;
  if (print === undefined) return NOTHING;
  const known = listings.get(folder);
  if (known?.print === print) return known.listing;
  const listing = readdir(folder, { withFileTypes: true }).then((all) => {
    const folders = all.filter((each) => each.isDirectory() && !each.name.startsWith("."));
    const names = folders.map(({ name }) => name).sort();
    return { scores: names.filter((name) => ENDING.test(name)), others: names.filter((name) => !ENDING.test(name)) };
  });
  listings.set(folder, { print, listing });
  return listing;
}

const ENDING = /.-[0-9a-f]{12}$/;

/**
 * The marker of a folder whose files are there with the sizes that they were published with; undefined otherwise. With
 * `hash` their bytes are compared, too.
 */
export async function readScores(folder: string, { hash = false } = {}): Promise<ScoreMarker | undefined> {
  const marker = await readMarker(folder);
  if (marker === undefined) return undefined;
  for (const file of marker.files) {
    const path = join(folder, file.name);
    if ((await stat(path).catch(() => undefined))?.size !== file.bytes) return undefined;
    if (hash && (await digestFile(path)) !== file.sha256) return undefined;
  }
  return marker;
}

/** The marker, if it is whole and as it was written; nothing is said of the files. */
export async function readMarker(folder: string): Promise<ScoreMarker | undefined> {
  const said = await readSealed(join(folder, MARKER), {
    schema,
    format: 1,
    kind: { name: "scores", words: "a video's scores" },
  });
  return "problem" in said ? undefined : said;
}

/**
 * Puts a finished folder into its place, over scores of another key; an intact one of the same key stays and ours is
 * dropped. Its files are hashed as they stand, and must be durable.
 *
 * @param temp holds `entry`, the folder with the files.
 */
export async function publishScores(
  temp: TempFolder,
  entry: string,
  place: string,
  said: Omit<ScoreMarker, "format" | "kind" | "versions" | "files">,
): Promise<ScoreMarker> {
  const files = await Promise.all(
    (await readdir(entry)).sort().map(async (name) => {
      const path = join(entry, name);
      return { name, bytes: (await stat(path)).size, sha256: await digestFile(path) };
    }),
  );
  const marker = schema.parse({ format: 1, kind: "scores", versions: VERSIONS, files, ...said });
  try {
    await writeFile(join(entry, MARKER), sealed(marker as unknown as Record<string, Json>), {
      flag: "wx",
      flush: true,
    });
    await syncFolder(entry);
  } catch (error) {
    throw diskError(error, place);
  }
  await publish(temp, entry, place, async (there) => (await readScores(there, { hash: true }))?.key === marker.key);
  return marker;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
