import { join, resolve } from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { defineStage } from "./define.ts";
import { nextCommand, openPage } from "./next.ts";

/**
 * The papers' tables of sequence models: every finished training of `train-seq` together, beside the frame
 * models, the training mean, the controls that were trained, the papers' own rows, and the best predictors where the data
 * was drawn; what some models are better than others by; and how scores rise with the frames seen in a window. Several folders are one experiment, with a seed each. No network
 * runs.
 */
export default defineStage({
  name: "evaluate-seq",
  summary: "trained sequence models → artifact: the papers' tables, with baselines and controls",
  version: 3,
  takes: "none",
  gives: "artifact",
  options: z.strictObject({
    input: z
      .array(z.string().min(1))
      .min(1)
      .default(["data/runs/train-seq"])
      .describe("folders that train-seq wrote, or globs: runs of one experiment, each with another seed"),
    frames: z
      .string()
      .min(1)
      .default("data/runs/train-anclaf")
      .describe("folder that train-anclaf wrote, for the frame models' rows; left out where there is none"),
    output: z.string().min(1).default("data/runs/evaluate-seq").describe("folder for the tables"),
  }),
  runtime: ["input", "output"],
  output: ({ output }) => output,
  next: ({ input, output }) => [openPage(join(output, "tables.md")), nextCommand("report-seq", "--input", ...input)],
  async *sources({ input }, { note }) {
    const { trainingsSource } = await import("../report/sequence-evidence.ts");
    yield await trainingsSource(input, note);
  },
  run: ({ output, ...given }, context) =>
    async function* () {
      const { yardsticksOf } = await import("../datasets/yardsticks.ts");
      const { nameOf } = await import("../report/experiment.ts");
      const { isClear } = await import("../report/gains.ts");
      const { readEvidence } = await import("../report/sequence-evidence.ts");
      const { sequenceTables } = await import("../report/sequence-tables.ts");
      const { toCsv, toMarkdown, toText } = await import("../report/table.ts");
      const evidence = await readEvidence(given, yardsticksOf, (message) => context.note(message));
      const { gains, bySeen, ...tables } = sequenceTables(evidence);
      const folder = resolve(output);
      const write = async (name: string, text: string) => {
        await using file = await TextFile.open(join(folder, name));
        await file.write(text);
        return await file.publish();
      };
      const shown = Object.values(tables).filter(({ rows }) => rows.length > 0);
      let bytes = await write("tables.md", shown.map(toMarkdown).join("\n"));
      for (const [name, table] of Object.entries(tables)) bytes += await write(`${name}.csv`, toCsv(table));
      const first = [tables.results, tables.gain].filter(({ rows }) => rows.length > 0);
      context.facts.text = first.map(toText).join("\n");
      context.facts.gain = gains.map((gain) => ({
        model: nameOf(gain.model),
        against: nameOf(gain.against),
        difference: gain.difference,
        standardError: gain.standardError,
        pairs: gain.pairs,
        beyondTwoErrors: isClear(gain),
      }));
      context.facts.bySeen = bySeen.models.map(({ points, ...model }) => ({
        model: nameOf(model),
        ccc: points.map(({ ccc }) => ccc?.mean ?? null),
        sd: points.map(({ ccc }) => ccc?.sd ?? null),
        frames: points.map(({ frames }) => frames),
      }));
      context.verdict("complete");
      yield { kind: "artifact", path: folder, bytes };
    },
});
