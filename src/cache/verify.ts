import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { PipeError } from "../errors.ts";
import { checkEntry } from "./check.ts";
import { entryFolders, namesIn } from "./layout.ts";
import { isLitter } from "./litter.ts";
import { MARKER, ROWS, readMarker } from "./marker.ts";
import { leftovers, TEMP } from "./temp.ts";

/** What verifying one thing found. `entry` is its path below the folder verified. */
export interface Verified {
  readonly entry: string;
  /** Of the video that it was made from, where its marker says so. */
  readonly name?: string;
  readonly ok: boolean;
  /** Each names the file and what is wrong with it; none when `ok`. */
  readonly problems: readonly string[];
}

/**
 * Hashes everything in a cache: a whole output folder, the folder of one source, or one entry. Says of every entry
 * whether it is intact, and names what does not belong there, what crashed runs left included.
 *
 * @throws PipeError when there is no such folder
 */
export async function* verifyFolder(folder: string): AsyncGenerator<Verified, void, void> {
  const root = resolve(folder);
  if (!(await lstat(root).catch(() => undefined))?.isDirectory())
    throw new PipeError(`There is no folder ${folder}.`, { hint: "Give the output folder of a run." });
  const entries = await entryFolders(root);
  const owners = await fileOwners(entries);
  for (const entry of entries) {
    const { problems } = await checkEntry(entry, { trust: false, whose: (sha256) => owners.get(sha256) });
    const marker = await readMarker(entry);
    const name = "problem" in marker ? {} : { name: marker.source.name };
    yield { entry: relative(root, entry) || ".", ...name, ok: problems.length === 0, problems };
  }
  if (entries.includes(root)) return;
  const problems = [...(await strangersIn(root)), ...(await leftoversIn(root))];
  if (problems.length > 0) yield { entry: ".", ok: false, problems };
}

/** sha256 → the entry and file that a marker gives it, so that a file from another entry can be called by its name. */
async function fileOwners(entries: readonly string[]): Promise<Map<string, string>> {
  const owners = new Map<string, string>();
  for (const entry of entries) {
    const marker = await readMarker(entry);
    for (const file of "problem" in marker ? [] : marker.files)
      owners.set(file.sha256, `${basename(dirname(entry))}/${basename(entry)}/${file.name}`);
  }
  return owners;
}

/** Names that no run of this tool puts into a cache: what people put there might be lost, or taken for latents. */
async function strangersIn(root: string): Promise<string[]> {
  const problems: string[] = [];
  const folders = new Set(await namesIn(root));
  for (const item of await readdir(root, { withFileTypes: true })) {
    if (folders.has(item.name)) problems.push(...(await strangersBelow(root, item.name)));
    // Reports of runs lie beside the entries.
    else if (!OURS.has(item.name) && !isLitter(item.name) && !(item.isFile() && item.name.endsWith(".json")))
      problems.push(`${item.name} does not belong to a cache`);
  }
  return problems;
}

async function strangersBelow(root: string, name: string): Promise<string[]> {
  const folder = join(root, name);
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return [`${name} is not a folder`];
  // A source's folder was given: what is inside its entries was looked at with them.
  if (names.includes(MARKER) || names.includes(ROWS)) return [];
  const keys = new Set(await namesIn(folder));
  return names
    .filter((one) => !keys.has(one) && !isLitter(one))
    .map((one) => `${name}/${one} does not belong to a cache`);
}

async function leftoversIn(root: string): Promise<string[]> {
  return (await leftovers(root))
    .filter(({ owner }) => owner !== "alive")
    .map(({ name, owner }) =>
      owner === "dead"
        ? `${TEMP}/${name} was left by a run that crashed; the next run removes it`
        : `${TEMP}/${name} is the unfinished work of another machine; remove it if no run is active there`,
    );
}

const OURS = new Set([TEMP, ".digests.jsonl", ".labelled.jsonl", ".verified.jsonl"]);
