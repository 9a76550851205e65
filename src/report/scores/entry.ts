import { readdir, stat, writeFile } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import { diskError, syncFolder } from "../../cache/disk.ts";
import { taskFields, VERSIONS } from "../../cache/marker.ts";
import { publish } from "../../cache/publish.ts";
import { readSealed, sealed } from "../../cache/sealed.ts";
import type { TempFolder } from "../../cache/temp.ts";
import { digestFile, type Json } from "../../digest.ts";
import type { Source } from "../../records.ts";
import { safeName } from "../../safe-name.ts";

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
 * Where a video's scores lie, or are to lie: one folder a content, `NAME-<12 hex digits of its sha256>`. NAME is that which
 * the video had when it was first scored; a renamed one is found by its digits.
 */
export async function scoresFolder(output: string, { name, digest }: Pick<Source, "name" | "digest">): Promise<string> {
  const ending = `-${digest.slice(0, 12)}`;
  const stem = basename(name, extname(name));
  const own = join(resolve(output), `${safeName(stem)}${ending}`);
  if (await exists(own)) return own;
  const known = (await folderNames(resolve(output))).get(ending);
  return known === undefined ? own : join(resolve(output), known);
}

/** All folders of scores in an output, finished or not, by name. */
export async function scoresFolders(output: string): Promise<string[]> {
  const names = [...(await folderNames(resolve(output))).values()].sort();
  return names.map((name) => join(resolve(output), name));
}

const listings = new Map<string, { readonly print: bigint; readonly names: Promise<Map<string, string>> }>();

/** Names of folders of scores by their endings; the same map until the output folder has changed. */
export async function folderNames(output: string): Promise<Map<string, string>> {
  const print = (await stat(output, { bigint: true }).catch(() => undefined))?.mtimeNs;
  if (print === undefined) return new Map();
  const known = listings.get(output);
  if (known?.print === print) return known.names;
  const names = readdir(output).then(
    (all) => new Map(all.sort().flatMap((name) => (ENDING.test(name) ? [[name.slice(-13), name] as const] : []))),
  );
  listings.set(output, { print, names });
  return names;
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
