import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { digestFile, type Json } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";

/** What a finished training of one fold leaves beside its weights: `result.json`, which is written last. */
const schema = z.strictObject({
  format: z.literal(1),
  /** Of the step that trained, and what it was made from. */
  key: z.string(),
  keyParts: z.json(),
  source: z.strictObject({ name: z.string(), digest: z.string() }),
  fold: z.int().nonnegative(),
  folds: z.int().positive(),
  /** Folder of the faces, and the dataset's own. */
  store: z.string(),
  data: z.string(),
  metrics: z.record(z.string(), z.number()),
  facts: z.record(z.string(), z.json()),
  /** sha256 by file name. */
  files: z.record(z.string(), z.string()),
});
export interface TrainingResult extends Omit<z.output<typeof schema>, "keyParts" | "facts"> {
  readonly keyParts: Json;
  readonly facts: Readonly<Record<string, Json>>;
}

export const RESULT_FILE = "result.json";
export const PREDICTIONS_FILE = "predictions.csv";

/** Publishes a result: the folder's `files` are hashed as they stand. */
export async function writeResult(
  folder: string,
  result: Omit<TrainingResult, "format" | "files">,
  files: readonly string[],
): Promise<void> {
  const hashes = await Promise.all(files.map(async (name) => [name, await digestFile(join(folder, name))] as const));
  await using file = await TextFile.open(join(folder, RESULT_FILE));
  await file.write(`${JSON.stringify({ format: 1, ...result, files: Object.fromEntries(hashes) }, null, 2)}\n`);
  await file.publish();
}

/**
 * The result in a folder; undefined where there is none, or the files are not those that it was written with: such a
 * training is not finished.
 */
export async function readResult(folder: string): Promise<TrainingResult | undefined> {
  const text = await readFile(join(folder, RESULT_FILE), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const result = schema.parse(JSON.parse(text)) as TrainingResult;
    for (const [name, sha256] of Object.entries(result.files))
      if ((await digestFile(join(folder, name))) !== sha256) return undefined;
    return result;
  } catch {
    return undefined;
  }
}

/** The folders inside `folder` with a finished training, by fold. */
export async function resultsIn(folder: string): Promise<{ folder: string; result: TrainingResult }[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  const results = await Promise.all(folders.map(async (each) => ({ folder: each, result: await readResult(each) })));
  return results
    .flatMap(({ folder, result }) => (result ? [{ folder, result }] : []))
    .sort((a, b) => a.result.fold - b.result.fold);
}

/** What was predicted for one face, native units. */
export interface PredictedFace {
  readonly clip: string;
  readonly frame: number;
  readonly valence: number;
  readonly arousal: number;
  readonly predictedValence: number;
  readonly predictedArousal: number;
}

const COLUMNS = {
  clip: "clip",
  frame: "frame",
  valence: "valence",
  arousal: "arousal",
  predictedValence: "predicted_valence",
  predictedArousal: "predicted_arousal",
};

export async function writePredictions(folder: string, faces: Iterable<PredictedFace>): Promise<void> {
  await using file = await TextFile.open(join(folder, PREDICTIONS_FILE));
  await file.write(`${Object.values(COLUMNS).join(",")}\n`);
  for (const face of faces)
    await file.write(stringify([face], { columns: Object.keys(COLUMNS), cast: { number: String } }));
  await file.publish();
}

/** Throws a PipeError when the file cannot be read or is not one that `writePredictions` wrote. */
export async function readPredictions(folder: string): Promise<PredictedFace[]> {
  const path = join(folder, PREDICTIONS_FILE);
  try {
    const rows = parse(await readFile(path, "utf8"), { columns: true }) as Record<string, string>[];
    return rows.map((row) => {
      const number = (column: string) => {
        const value = Number(row[column]);
        if (row[column] === undefined || row[column] === "" || !Number.isFinite(value))
          throw new PipeError(`${column} is ${JSON.stringify(row[column] ?? null)}`);
        return value;
      };
      return {
        clip: row.clip ?? "",
        frame: number("frame"),
        valence: number("valence"),
        arousal: number("arousal"),
        predictedValence: number("predicted_valence"),
        predictedArousal: number("predicted_arousal"),
      };
    });
  } catch (error) {
    throw new PipeError(`${path}: the predictions cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}
