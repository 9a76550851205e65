import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fingerprint, isSettled } from "./fingerprint.ts";
import { entryName } from "./layout.ts";
import { isLitter } from "./litter.ts";
import { contentDigest, MARKER, type Marker, readMarker } from "./marker.ts";
import { Memo } from "./memo.ts";

/** What looking at an entry gave: its marker if that can be trusted, and everything that is wrong, none when intact. */
export interface Check {
  readonly marker: Marker | undefined;
  readonly problems: readonly string[];
  /** Fingerprint of each file as checked, by name, so that a reader can tell that it opens the very same bytes. */
  readonly prints: ReadonlyMap<string, string>;
}

/**
 * Compares an entry's files with its marker: names, sizes, sha256, and the folder's own name. Nothing is parsed but the
 * marker. With `trust`, files whose fingerprints are those of an earlier check are not hashed again. `whose` may know by
 * its sha256 where a file that lies here belongs.
 */
export async function checkEntry(
  folder: string,
  { trust, whose }: { trust: boolean; whose?: (sha256: string) => string | undefined },
): Promise<Check> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return bad(`there is no folder ${folder}`);
  const marker = await readMarker(folder);
  if ("problem" in marker) return bad(marker.problem);

  const problems = placeProblems(folder, marker);
  const known = new Set([MARKER, ...marker.files.map((file) => file.name)]);
  for (const name of names.sort())
    if (!known.has(name) && !isLitter(name)) problems.push(`${name} does not belong to the entry`);
  const prints = new Map<string, string>();
  let settled = true;
  for (const file of marker.files) {
    const stats = await lstat(join(folder, file.name), { bigint: true }).catch(() => undefined);
    settled &&= stats !== undefined && isSettled(stats);
    if (stats === undefined) problems.push(`${file.name} is missing`);
    else if (stats.isSymbolicLink()) problems.push(`${file.name} is a symbolic link, which may lead anywhere`);
    else if (!stats.isFile()) problems.push(`${file.name} is not a file`);
    else if (stats.size !== BigInt(file.bytes)) problems.push(sizeProblem(file.name, Number(stats.size), file.bytes));
    else prints.set(file.name, fingerprint(stats));
  }
  if (problems.length > 0) return { marker, problems, prints };

  const owner = (sha256: string) => marker.files.find((one) => one.sha256 === sha256)?.name ?? whose?.(sha256);
  if (trust && (await isNoted(folder, marker, prints))) return { marker, problems, prints };
  for (const file of marker.files) problems.push(...(await hashProblems(folder, file, prints, owner)));
  if (problems.length === 0 && settled) await note(folder, marker, prints);
  return { marker, problems, prints };
}

/**
 * Remembers that a writer has just published these very bytes. Returns when the file system's clock has moved on, so
 * that whoever writes to them from then on changes their fingerprints.
 */
export async function noteEntry(folder: string): Promise<void> {
  const marker = await readMarker(folder);
  if ("problem" in marker) return;
  const prints = new Map<string, string>();
  let newest = 0;
  for (const file of marker.files) {
    const stats = await stat(join(folder, file.name), { bigint: true });
    prints.set(file.name, fingerprint(stats));
    newest = Math.max(newest, Number(stats.ctimeMs));
  }
  await setTimeout(Math.min(TICK_MS, Math.max(0, newest + TICK_MS - Date.now())));
  await note(folder, marker, prints);
}

// Local file systems stamp times by the kernel's tick, 10 ms at most.
const TICK_MS = 25;

function bad(problem: string): Check {
  return { marker: undefined, problems: [problem], prints: new Map() };
}

function placeProblems(folder: string, marker: Marker): string[] {
  const path = resolve(folder);
  const [source, key] = [basename(dirname(path)), basename(path)];
  const [rightSource, rightKey] = [entryName(marker.source.digest), entryName(marker.key)];
  if (source === rightSource && key === rightKey) return [];
  return [`the entry of ${rightSource}/${rightKey} lies in ${source}/${key}`];
}

function sizeProblem(name: string, bytes: number, right: number): string {
  return `${name} ${bytes < right ? "is truncated" : "has grown"}: ${bytes} bytes instead of ${right}`;
}

async function hashProblems(
  folder: string,
  file: Marker["files"][number],
  prints: Map<string, string>,
  ownerOf: (sha256: string) => string | undefined,
): Promise<string[]> {
  const read = await hashOf(join(folder, file.name)).catch((error: NodeJS.ErrnoException) => error);
  if (read instanceof Error) return [`${file.name} cannot be read: ${read.message}`];
  prints.set(file.name, read.print);
  if (read.sha256 === file.sha256) return [];
  const owner = ownerOf(read.sha256);
  if (owner !== undefined) return [`${file.name} holds the bytes of ${owner}`];
  return [`${file.name} was changed: its sha256 is ${read.sha256}, not ${file.sha256}`];
}

/** sha256 of a file with the fingerprint of that same open file. */
async function hashOf(path: string): Promise<{ sha256: string; print: string }> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const hash = createHash("sha256");
    const stats = await handle.stat({ bigint: true });
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let position = 0; ; ) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    return { sha256: hash.digest("hex"), print: fingerprint(stats) };
  } finally {
    await handle.close();
  }
}

function isNoted(folder: string, marker: Marker, prints: ReadonlyMap<string, string>): Promise<boolean> {
  const { memo, name } = notebook(folder);
  return memo.get(name, [...prints.values()].join(" ")).then((seal) => seal === contentDigest(marker));
}

function note(folder: string, marker: Marker, prints: ReadonlyMap<string, string>): Promise<void> {
  const { memo, name } = notebook(folder);
  return memo.set(name, [...prints.values()].join(" "), contentDigest(marker));
}

const memos = new Map<string, Memo>();

/** The notebook of checked entries lies in the output folder, two above the entry, and goes with it when it is moved. */
function notebook(folder: string): { memo: Memo; name: string } {
  const path = resolve(folder);
  const output = dirname(dirname(path));
  const memo = memos.get(output) ?? new Memo(join(output, ".verified.jsonl"));
  memos.set(output, memo);
  return { memo, name: `${basename(dirname(path))}/${basename(path)}` };
}
