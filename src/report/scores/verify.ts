import { readdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { isLitter } from "../../cache/litter.ts";
import { leftovers, TEMP } from "../../cache/temp.ts";
import type { Verified } from "../../cache/verify.ts";
import { digestFile } from "../../digest.ts";
import { reasonOf } from "../../errors.ts";
import { MARKER, readMarker, scoresFolders } from "./entry.ts";

/** Hashes all scores in a folder and says what is not as it was published; nothing where the folder holds no scores. */
export async function* verifyScores(output: string): AsyncGenerator<Verified, void, void> {
  const folders = await scoresFolders(output);
  for (const folder of folders) {
    const problems = await problemsIn(folder);
    const name = (await readMarker(folder))?.source.name;
    yield {
      entry: relative(resolve(output), folder),
      ...(name !== undefined && { name }),
      ok: problems.length === 0,
      problems,
    };
  }
  if (folders.length === 0) return;
  const left = (await leftovers(output)).filter(({ owner }) => owner === "dead");
  if (left.length === 0) return;
  const problems = left.map(({ name }) => `${TEMP}/${name} was left by a run that crashed; the next run removes it`);
  yield { entry: ".", ok: false, problems };
}

async function problemsIn(folder: string): Promise<string[]> {
  const marker = await readMarker(folder);
  if (marker === undefined) return [`${MARKER} is missing, or was changed after it was written`];
  const known = new Set([MARKER, ...marker.files.map(({ name }) => name)]);
  const problems: string[] = [];
  for (const name of (await readdir(folder)).sort())
    if (!known.has(name) && !isLitter(name)) problems.push(`${name} does not belong to the scores`);
  for (const { name, sha256 } of marker.files) {
    const found = await digestFile(join(folder, name)).catch((error: unknown) => reasonOf(error));
    if (/^[0-9a-f]{64}$/.test(found)) {
      if (found !== sha256) problems.push(`${name} was changed: its sha256 is ${found}, not ${sha256}`);
    } else problems.push(`${name} cannot be read: ${found}`);
  }
  return problems;
}
