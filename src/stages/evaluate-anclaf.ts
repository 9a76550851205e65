import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { digestOf } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { TrainingResult } from "../report/training-result.ts";
import type { TestedFold } from "../systems/anclaf/fold-tables.ts";
import { type Context, defineStage } from "./define.ts";

/**
 * The tables of a training: every finished fold's predictions together, in the papers' form, beside the training mean, the
 * papers' own rows where the data is theirs, and the best predictor where the data was drawn. No network runs.
 */
export default defineStage({
  name: "evaluate-anclaf",
  summary: "trained folds → artifact: tables in the papers' form, with baselines",
  version: 1,
  takes: "none",
  gives: "artifact",
  options: z.strictObject({
    input: z.string().min(1).default("data/runs/train-anclaf").describe("folder that train-anclaf wrote"),
    output: z.string().min(1).default("data/runs/evaluate").describe("folder for the tables"),
  }),
  runtime: ["input", "output"],
  output: ({ output }) => output,
  async *sources({ input }) {
    const { resultsIn } = await import("../report/training-result.ts");
    const folder = resolve(input);
    const results = await resultsIn(folder);
    if (results.length === 0)
      throw new PipeError(`${input} holds no finished training.`, { hint: "pipe run train-anclaf makes one." });
    const digest = digestOf(results.map(({ result }) => ({ key: result.key, files: result.files })));
    yield { path: folder, name: basename(folder), bytes: 0, digest };
  },
  run: ({ output }, context) =>
    async function* () {
      const { resultsIn } = await import("../report/training-result.ts");
      const found = await resultsIn(context.source.path);
      const tables = await tablesOf(found, context);
      const { toCsv, toMarkdown, toText } = await import("../report/table.ts");
      const folder = resolve(output);
      const write = async (name: string, text: string) => {
        await using file = await TextFile.open(join(folder, name));
        await file.write(text);
        return await file.publish();
      };
      let bytes = await write("tables.md", tables.map(({ table }) => toMarkdown(table)).join("\n"));
      for (const { name, table } of tables) bytes += await write(`${name}.csv`, toCsv(table));
      context.facts.text = tables.map(({ table }) => toText(table)).join("\n");
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes };
    },
});

type Found = readonly { readonly folder: string; readonly result: TrainingResult }[];

async function tablesOf(found: Found, context: Context) {
  const { readPredictions } = await import("../report/training-result.ts");
  const { foldTables } = await import("../systems/anclaf/fold-tables.ts");
  const folds = await Promise.all(
    found.map(async ({ folder, result }) => {
      const faces = await readPredictions(folder);
      return {
        fold: result.fold,
        clips: new Set(faces.map(({ clip }) => clip)),
        trainMean: result.facts.trainMean as unknown as TestedFold["trainMean"],
        reconstruction: result.facts.reconstruction as unknown as TestedFold["reconstruction"],
        predictions: {
          valence: faces.map((face) => face.predictedValence),
          arousal: faces.map((face) => face.predictedArousal),
        },
        labels: { valence: faces.map(({ valence }) => valence), arousal: faces.map(({ arousal }) => arousal) },
      };
    }),
  );
  const { result } = found[0]!;
  const dataset = (result.facts.dataset as { name: string }).name;
  const more = dataset === "synth" ? await oracleRows(result.data, folds, context) : [];
  return foldTables(folds, { dataset, of: result.folds, more });
}

/** What the best predictor from a single frame reaches on the same clips, where the drawn data is still there. */
async function oracleRows(data: string, folds: readonly { readonly clips: ReadonlySet<string> }[], context: Context) {
  const { frameOracleRow } = await import("../datasets/synth/oracle-row.ts");
  try {
    return [
      await frameOracleRow(
        data,
        folds.map(({ clips }) => clips),
      ),
    ];
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    context.note(`The best possible predictions are left out: ${error.message}`);
    return [];
  }
}
