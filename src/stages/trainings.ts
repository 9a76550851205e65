import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Json } from "../digest.ts";
import type { Cached } from "./define.ts";

/** The finished training of this key in a sink's folder, as its `cached` answers. */
export async function cachedTraining(output: string, key: string): Promise<Cached | undefined> {
  const { resultsIn } = await import("../report/training-result.ts");
  const { Ledger } = await import("../ledger.ts");
  const found = (await resultsIn(resolve(output))).find(({ result }) => result.key === key);
  if (!found) return undefined;
  return {
    artifact: { kind: "artifact", path: found.folder, bytes: await trainingBytes(found.folder) },
    counts: new Ledger().counts,
    verdict: "complete",
    facts: { ...found.result.facts },
  };
}

/** What the finished trainings of a source in a sink's folder were made of, as its `published` answers. */
export async function publishedTrainings(
  output: string,
  isIts: (source: { readonly name: string; readonly digest: string }) => boolean,
): Promise<Json[]> {
  const { resultsIn } = await import("../report/training-result.ts");
  const all = await resultsIn(resolve(output));
  return all.filter(({ result }) => isIts(result.source)).map(({ result }) => result.keyParts);
}

/** Of all files that a finished training names, and the trainings in it. */
export async function trainingBytes(folder: string): Promise<number> {
  const { readResult, resultsIn } = await import("../report/training-result.ts");
  const own = await readResult(folder);
  const inner = await resultsIn(folder);
  const trainings = [...(own ? [{ folder, result: own }] : []), ...inner];
  const paths = trainings.flatMap(({ folder, result }) => Object.keys(result.files).map((name) => join(folder, name)));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
