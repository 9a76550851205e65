import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { digestOf } from "../digest.ts";
import { PipeError } from "../errors.ts";
import type { TrainingResult } from "../report/training-result.ts";
import type { ResultRow } from "../systems/anclaf/evaluation.ts";
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
type Means = Record<"valence" | "arousal", number>;

async function tablesOf(found: Found, context: Context) {
  const { readPredictions } = await import("../report/training-result.ts");
  const { baselineRows, evaluate, foldRows, resultTable, rowsOf } = await import("../systems/anclaf/evaluation.ts");
  const { paperRows, PAPER_METRICS } = await import("../systems/anclaf/paper-results.ts");
  const folds = await Promise.all(
    found.map(async ({ folder, result }) => {
      const faces = await readPredictions(folder);
      return {
        fold: result.fold,
        clips: new Set(faces.map(({ clip }) => clip)),
        trainMean: result.facts.trainMean as Means,
        predictions: {
          valence: faces.map((face) => face.predictedValence),
          arousal: faces.map((face) => face.predictedArousal),
        },
        labels: { valence: faces.map(({ valence }) => valence), arousal: faces.map(({ arousal }) => arousal) },
      };
    }),
  );
  const evaluation = evaluate(folds);
  const { result } = found[0]!;
  const dataset = (result.facts.dataset as { name: string }).name;
  const missing = result.folds - found.length;
  const notes = [
    "Labels in native units. Nobody in a fold's test set was trained on, or looked at to choose the checkpoint.",
    ...(missing > 0 ? [`${missing} of ${result.folds} folds are not finished.`] : []),
  ];
  const paper = dataset === "afew-va" || dataset === "sewa" ? dataset : null;
  const rows = [...rowsOf("ANCLaF (ours)", evaluation), ...baselineRows(evaluation)];
  const oracle = paper ? [] : await oracleRows(found, folds, context);
  const table = resultTable(
    `ANCLaF on ${dataset}`,
    [...(paper ? paperRows(paper) : []), ...rows, ...oracle],
    paper ? { metrics: PAPER_METRICS[paper], notes } : { notes },
  );
  return [
    { name: "results", table },
    { name: "folds", table: resultTable("Fold by fold", foldRows("ANCLaF (ours)", evaluation)) },
    { name: "reconstruction", table: reconstructionTable(found) },
  ];
}

/** What the best predictor from a single frame reaches on the same clips, where the data was drawn and is still there. */
async function oracleRows(
  found: Found,
  folds: readonly { readonly clips: ReadonlySet<string> }[],
  context: Context,
): Promise<ResultRow[]> {
  const { readFacesTruth } = await import("../datasets/synth/faces-truth.ts");
  const { oracleScores } = await import("../datasets/synth/oracle-scores.ts");
  const { spreadOf } = await import("../nn/metrics.ts");
  const { result } = found[0]!;
  try {
    const truth = await readFacesTruth(result.data);
    const of = (dimension: "valence" | "arousal") =>
      folds.map(({ clips }) =>
        oracleScores(
          truth.filter(({ clip }) => clips.has(clip)),
          dimension,
          1,
        ),
      );
    const [valence, arousal] = [of("valence"), of("arousal")];
    const spread = (scores: readonly { readonly ccc: number; readonly cor: number }[]) => ({
      ccc: spreadOf(scores.map(({ ccc }) => ccc)),
      cor: spreadOf(scores.map(({ cor }) => cor)),
    });
    const average = valence.map((own, i) => ({
      ccc: (own.ccc + arousal[i]!.ccc) / 2,
      cor: (own.cor + arousal[i]!.cor) / 2,
    }));
    const figures = { valence: spread(valence), arousal: spread(arousal), average: spread(average) };
    return [{ name: "Best possible from one frame", figures }];
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    context.note(`The best possible predictions are left out: ${error.message}`);
    return [];
  }
}

interface Reconstruction {
  readonly kind: string;
  readonly faces: number;
  readonly distorted: number | null;
  readonly reconstructed: number;
}

/** Peak signal-to-noise ratios, mean over folds. */
function reconstructionTable(found: Found) {
  const folds = found.map(({ result }) => result.facts.reconstruction as unknown as readonly Reconstruction[]);
  const mean = (values: readonly (number | null)[]) =>
    values.some((value) => value === null)
      ? null
      : values.reduce((sum: number, value) => sum + value!, 0) / values.length;
  return {
    title: "What G makes of distorted faces, PSNR in dB to the clean face",
    columns: ["Distortion", "Distorted", "Reconstructed", "Faces"],
    rows: folds[0]!.map(({ kind }, i) => [
      kind,
      mean(folds.map((fold) => fold[i]!.distorted)),
      mean(folds.map((fold) => fold[i]!.reconstructed)),
      folds.reduce((sum, fold) => sum + fold[i]!.faces, 0),
    ]),
    notes: [],
    digits: 2,
  };
}
