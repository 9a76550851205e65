import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { digestOf } from "../digest.ts";
import { PipeError } from "../errors.ts";
import { toNative } from "../nn/label-scale.ts";
import type { PaperResults } from "../report/experiment.ts";
import type { frameRuns, Said, SequenceRun } from "../report/sequence-runs.ts";
import type { PaperDataset } from "../systems/anclaf/paper-results.ts";
import { type Context, defineStage } from "./define.ts";

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
    const { sequenceRuns } = await import("../report/sequence-runs.ts");
    const folder = resolve(input);
    const runs = await sequenceRuns(folder);
    if (runs.length === 0)
      throw new PipeError(`${input} holds no finished training of sequences.`, {
        hint: "pipe run train-seq makes one.",
      });
    const digest = digestOf(runs.map(({ result }) => ({ key: result.key, files: result.files })));
    yield { path: folder, name: basename(folder), bytes: 0, digest };
  },
  run: ({ frames, output }, context) =>
    async function* () {
      const { frameRuns, sequenceRuns } = await import("../report/sequence-runs.ts");
      const { sequenceTables } = await import("../report/sequence-tables.ts");
      const { toCsv, toMarkdown, toText } = await import("../report/table.ts");
      const { paperRows, PAPER_METRICS } = await import("../systems/anclaf/paper-results.ts");
      const { METRICS } = await import("../nn/metrics.ts");
      const runs = await sequenceRuns(context.source.path);
      const dataset = oneDataset(runs);
      const frame = await frameRuns(resolve(frames), [...new Set(runs.map(({ fold }) => fold))]);
      if (frame.length === 0) context.note(`The frame models' rows are left out: ${frames} has no finished training.`);
      const own = Object.hasOwn(PAPER_METRICS, dataset);
      const oracle = await oracleOf(runs, frame, context);
      // Drawn faces are in AFEW-VA's layout and units, and may be trained on under its name.
      const drawn = dataset === "synth" || oracle !== null;
      const paper = own ? (dataset as PaperDataset) : drawn ? "afew-va" : null;
      const tables = sequenceTables({
        runs,
        frames: frame,
        paper: paper ? paperRows(paper).map(paperResults) : [],
        metrics: own && !drawn ? PAPER_METRICS[dataset as PaperDataset] : METRICS,
        drawn,
        oracle,
      });
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

function oneDataset(runs: readonly SequenceRun[]): string {
  const datasets = [...new Set(runs.map(({ dataset }) => dataset))];
  if (datasets.length === 1) return datasets[0]!;
  throw new PipeError(`The trainings are of ${datasets.join(" and ")}, which do not go into one table.`, {
    hint: "Give the trainings of each data set a folder of their own: --output DIR",
  });
}

/** `Paper: ANCLaF-S-8` as a family and a length. */
function paperResults(row: import("../systems/anclaf/evaluation.ts").ResultRow): PaperResults {
  const name = row.name.replace(/^Paper: /, "");
  const [, family, n] = /^(ANCLaF-SA?)-(\d+)$/.exec(name) ?? [];
  const figures = row.figures as PaperResults["figures"];
  return family === undefined ? { family: name, n: null, figures } : { family, n: Number(n), figures };
}

/** The best predictors on drawn faces, where the drawn data is still there: what no model can go beyond. */
async function oracleOf(runs: readonly SequenceRun[], frame: Awaited<ReturnType<typeof frameRuns>>, context: Context) {
  const { faceOracles } = await import("../datasets/synth/oracle-faces.ts");
  const { TRUTH_FILE } = await import("../datasets/synth/faces-truth.ts");
  const [{ range, dataset }] = runs as [SequenceRun];
  const data = frame[0]?.result.data;
  if (data === undefined || (dataset !== "synth" && !existsSync(join(data, TRUTH_FILE)))) return null;
  try {
    const oracles = await faceOracles(data);
    const missing = runs[0]!.steps.find(({ clip, frame }) => oracles(1)(clip, frame) === undefined);
    if (missing) throw new PipeError(`${data} has no frame ${missing.frame} of clip ${missing.clip}`);
    return (n: number) => {
      const of = oracles(n);
      return ({ clip, frame }: Said) => {
        const { valence, arousal } = of(clip, frame)!;
        return { valence: toNative(valence, range.valence), arousal: toNative(arousal, range.arousal) };
      };
    };
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    context.note(`The best possible predictions are left out: ${error.message}`);
    return null;
  }
}
