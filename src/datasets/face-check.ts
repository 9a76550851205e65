import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fingerprint, isSettled } from "../cache/fingerprint.ts";
import { Memo } from "../cache/memo.ts";
import { digestFile } from "../digest.ts";
import { reasonOf } from "../errors.ts";
import { type FaceMarker, faceDigest, MARKER, readMarker } from "./face-marker.ts";

/** What looking at a store gave: its marker if that can be trusted, and everything that is wrong, none when intact. */
export interface FaceCheck {
  readonly marker: FaceMarker | undefined;
  readonly problems: readonly string[];
  /** Fingerprint of each file as checked, by name. */
  readonly prints: ReadonlyMap<string, string>;
}

/**
 * Compares a store's files with its marker: names, sizes, sha256. With `trust`, files whose fingerprints are those of an
 * earlier check are not hashed again.
 */
export async function checkFaces(
  folder: string,
  { trust, signal }: { trust: boolean; signal?: AbortSignal | undefined },
): Promise<FaceCheck> {
  const prints = new Map<string, string>();
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return { marker: undefined, problems: [`there is no folder ${folder}`], prints };
  const marker = await readMarker(folder);
  if ("problem" in marker) return { marker: undefined, problems: [marker.problem], prints };

  const known = new Set([MARKER, ...marker.files.map((file) => file.name)]);
  const problems = names
    .filter((name) => !known.has(name) && !name.startsWith("."))
    .sort()
    .map((name) => `${name} does not belong to the store`);
  let settled = true;
  for (const { name, bytes } of marker.files) {
    const stats = await stat(join(folder, name), { bigint: true }).catch(() => undefined);
    if (stats === undefined) problems.push(`${name} is missing`);
    else if (stats.size !== BigInt(bytes)) problems.push(`${name} has ${stats.size} bytes instead of ${bytes}`);
    else prints.set(name, fingerprint(stats));
    settled &&= stats !== undefined && isSettled(stats);
  }
  if (problems.length > 0) return { marker, problems, prints };

  const { memo, name: noted } = notebook(folder);
  const print = [...prints.values()].join(" ");
  if (trust && (await memo.get(noted, print)) === faceDigest(marker)) return { marker, problems, prints };
  for (const { name, sha256 } of marker.files) {
    signal?.throwIfAborted();
    const found = await digestFile(join(folder, name), signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      problems.push(`${name} cannot be read: ${reasonOf(error)}`);
    });
    if (found !== undefined && found !== sha256) problems.push(`${name} was changed: its sha256 is another`);
  }
  if (problems.length === 0 && settled) await memo.set(noted, print, faceDigest(marker));
  return { marker, problems, prints };
}

/**
 * Remembers that a writer has just hashed and published these very bytes. Returns when the file system's clock has moved
 * on, so that whoever writes to them from then on changes their fingerprints.
 */
export async function noteFaces(folder: string): Promise<void> {
  const marker = await readMarker(folder);
  if ("problem" in marker) return;
  const prints: string[] = [];
  for (const { name } of marker.files) prints.push(fingerprint(await stat(join(folder, name), { bigint: true })));
  await setTimeout(TICK_MS);
  const { memo, name } = notebook(folder);
  await memo.set(name, prints.join(" "), faceDigest(marker));
}

// Local file systems stamp times by the kernel's tick, 10 ms at most.
const TICK_MS = 25;

const memos = new Map<string, Memo>();

/** The notebook of checked stores lies beside them, as in the latent cache. */
function notebook(folder: string): { memo: Memo; name: string } {
  const path = resolve(folder);
  const around = dirname(path);
  const memo = memos.get(around) ?? new Memo(join(around, ".verified.jsonl"));
  memos.set(around, memo);
  return { memo, name: basename(path) };
}
