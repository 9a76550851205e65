import { existsSync } from "node:fs";
import { digestFile } from "../digest.ts";

/**
 * sha256 of source files, remembered in the output folder: an archive is read once, not at every run.
 * Without `create`, a folder that is not there stays so.
 */
export async function memoDigest(
  output: string,
  { create }: { create: boolean },
): Promise<(path: string, signal?: AbortSignal) => Promise<string>> {
  if (!create && !existsSync(output)) return digestFile;
  const { DigestMemo } = await import("../cache/digest-memo.ts");
  const memo = new DigestMemo(output);
  return (path, signal) => memo.digest(path, signal);
}
