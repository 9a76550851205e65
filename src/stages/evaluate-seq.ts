import { join, resolve } from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { defineStage } from "./define.ts";
import { readEvidence, trainingsSource } from "./sequence-evidence.ts";

/**
 * The papers' tables of sequence models: every finished training of `train-seq` together, beside the frame
 * models, the training mean, the controls that were trained, the papers' own rows, and the best predictors where the data
 * was drawn. No network runs.
 */
export default defineStage({
  name: "evaluate-seq",
  summary: "trained sequence models → artifact: the papers' tables, with baselines and controls",
  version: 1,
  takes: "none",
  gives: "artifact",
  options: z.strictObject({
    input: z.string().min(1).default("data/runs/train-seq").describe("folder that train-seq wrote"),
    frames: z
      .string()
      .min(1)
      .default("data/runs/train-anclaf")
      .describe("folder that train-anclaf wrote, for the frame models' rows; left out where there is none"),
    output: z.string().min(1).default("data/runs/evaluate-seq").describe("folder for the tables"),
  }),
  runtime: ["input", "output"],
  output: ({ output }) => output,
  async *sources({ input }) {
    yield await trainingsSource(input);
  },
  run: ({ frames, output }, context) =>
    async function* () {
      const { sequenceTables } = await import("../report/sequence-tables.ts");
      const { toCsv, toMarkdown, toText } = await import("../report/table.ts");
      const tables = sequenceTables(await readEvidence(context.source.path, frames, context));
      const folder = resolve(output);
      const write = async (name: string, text: string) => {
        await using file = await TextFile.open(join(folder, name));
        await file.write(text);
        return await file.publish();
      };
      let bytes = await write("tables.md", tables.map(({ table }) => toMarkdown(table)).join("\n"));
      for (const { name, table } of tables) bytes += await write(`${name}.csv`, toCsv(table));
      context.facts.text = toText(tables[0]!.table);
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes };
    },
});
