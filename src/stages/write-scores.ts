import { mkdir, writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { checkBalance } from "../cache/balance.ts";
import type { Json } from "../digest.ts";
import { diskError } from "../disk.ts";
import { PipeError } from "../errors.ts";
import type { Prediction } from "../records.ts";
import type { ScoreScale } from "../report/scores/row.ts";
import { SCORE_CLOCKS, type ScoreModel } from "../report/scores/summary.ts";
import { type Context, defineStage } from "./define.ts";
import { openPage } from "./next.ts";

const FORMATS = ["parquet", "csv", "both"] as const;

const options = z.strictObject({
  output: z.string().min(1).default("data/runs/score").describe("folder that gets one folder a video, and an index"),
  format: z.enum(FORMATS).default("parquet").describe("how the rows are written: scores.parquet, scores.csv, or both"),
  smoothMs: z
    .number()
    .nonnegative()
    .default(200)
    .describe("smoothing along time: standard deviation of a Gaussian, milliseconds; 0: none"),
  clock: z
    .enum(SCORE_CLOCKS)
    .default("shown")
    .describe(
      "what subtitles, timeline and summary count from: the first frame shown, as players do, or the container's zero; rows have both",
    ),
});
type Options = z.output<typeof options>;

/**
 * The end of scoring: for each video a folder with `scores.parquet` (or `.csv`), one row for each face in each frame and for
 * each frame without one; `summary.json`, `subtitles.vtt` and `timeline.html`. It appears whole, marker last, or not at
 * all; scores of another key take the place of those that the video had before, which a run does only when forced.
 */
export default defineStage({
  name: "write-scores",
  summary: "prediction* → a folder a video: scores as Parquet or CSV, summary, subtitles, timeline",
  version: 4,
  takes: "prediction",
  gives: "artifact",
  options,
  runtime: ["output"],
  output: ({ output }) => output,
  keepsOne: true,
  async cached({ output }, { source, key }) {
    const { readScores, scoresFolder } = await import("../report/scores/entry.ts");
    const folder = await scoresFolder(output, source);
    const marker = await readScores(folder);
    if (marker?.key !== key) return undefined;
    const { counts, verdict, detail, facts } = marker;
    const artifact = { kind: "artifact" as const, path: folder, bytes: bytesOf(marker.files) };
    return { artifact, counts, verdict, ...(detail !== undefined && { detail }), facts };
  },
  async published({ output }, source) {
    const { markersByName } = await import("../report/scores/by-name.ts");
    const { readMarker, scoresFolder } = await import("../report/scores/entry.ts");
    const own = await readMarker(await scoresFolder(output, source));
    if (own) return [own.keyParts];
    return (await markersByName(output, source.name)).map(({ keyParts }) => keyParts);
  },
  async finish({ output }, items) {
    const { writeIndex } = await import("../report/scores/index.ts");
    await writeIndex(output, items);
  },
  next: ({ output }) => [openPage(join(output, "index.html"))],
  run: (options, context) =>
    async function* (predictions) {
      const { source, key, keyParts, facts, ledger } = context;
      if (key === "")
        throw new PipeError("write-scores publishes under a key, and the context has none.", {
          hint: "Run it in a pipeline, or give the context a key: the sha256 of all that shapes the scores.",
        });
      const { TempFolder } = await import("../cache/temp.ts");
      const { publishScores, scoresFolder } = await import("../report/scores/entry.ts");
      const output = resolve(options.output);
      await using temp = await TempFolder.make(output);
      const entry = join(temp.path, "entry");
      const place = await scoresFolder(output, source);
      const index = `${"../".repeat(relative(output, place).split(sep).length)}index.html`;
      const overview = await writeEntry(entry, predictions, options, context, index);
      checkBalance(ledger);
      const { name, bytes, digest } = source;
      const marker = await publishScores(temp, entry, place, {
        key,
        keyParts,
        source: { name, bytes, digest },
        ...endingOf(context),
        counts: ledger.counts,
        facts: { ...facts },
        overview,
      });
      yield { kind: "artifact", path: place, bytes: bytesOf(marker.files) };
    },
});

/** Writes all files of one video but the marker; gives what an index shows of it. */
async function writeEntry(
  entry: string,
  predictions: AsyncIterable<Prediction>,
  { format, smoothMs, clock }: Options,
  context: Context,
  index: string,
) {
  const { columns } = await import("../report/scores/columns.ts");
  const { csvFile, parquetFile } = await import("../report/scores/row-file.ts");
  const { VideoSeries } = await import("../report/scores/series.ts");
  const { Smoother } = await import("../report/scores/smooth.ts");
  const { subtitles } = await import("../report/scores/subtitles.ts");
  const { summarise } = await import("../report/scores/summary.ts");
  const { Thumbnails } = await import("../report/scores/thumbnails.ts");
  const { timeline } = await import("../report/scores/timeline.ts");
  const { source, ledger, signal, facts } = context;
  try {
    await mkdir(entry);
    // The stage before says its model's scale before its first record comes.
    const records = predictions[Symbol.asyncIterator]();
    let next = await records.next();
    const scale = (facts.scale as unknown as ScoreScale | undefined) ?? { valence: [-1, 1], arousal: [-1, 1] };
    // The stage that reads the video has said by now where it begins.
    const firstPts = typeof facts.firstPts === "number" ? facts.firstPts : 0;
    const zero = clock === "shown" ? firstPts : 0;
    const about = aboutModel(facts);
    const caution = about.caution ?? undefined;
    const [series, smoother, thumbnails] = [new VideoSeries(scale), new Smoother(smoothMs), new Thumbnails()];
    const { model, trainedOn } = about;
    const told = { model, trainedOn, ...(caution !== undefined && { caution }) };
    const [table, notes] = [
      columns(scale, firstPts),
      { ...told, scale: JSON.stringify(scale), smoothMs: String(smoothMs) },
    ];
    await using parquet = format === "csv" ? null : await parquetFile(join(entry, "scores.parquet"), table, notes);
    await using csv = format === "parquet" ? null : await csvFile(join(entry, "scores.csv"), table);
    const files = [parquet, csv].filter((file) => file !== null);
    const keep = async (rows: ReturnType<typeof smoother.end>) => {
      for (const row of rows) {
        for (const file of files) await file.write(row);
        series.add({ ...row, pts: row.pts - zero });
      }
    };
    for (; !next.done; next = await records.next()) {
      signal.throwIfAborted();
      await thumbnails.add({ ...next.value, pts: next.value.pts - zero });
      await keep(smoother.push(next.value));
      ledger.row(next.value.status);
    }
    signal.throwIfAborted();
    await keep(smoother.end());
    series.end();
    for (const file of files) await file.end();
    const summary = summarise(series, about, smoothMs, clock);
    const { detail: warning } = endingOf(context);
    const page = timeline(series, summary, { name: source.name, thumbnails: thumbnails.all, warning, caution, index });
    await durable(join(entry, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
    await durable(join(entry, "subtitles.vtt"), subtitles(series, caution));
    await durable(join(entry, "timeline.html"), page);
    const { frames, seconds, coverage, valence, arousal } = summary.video;
    const means = { valence: valence?.mean ?? null, arousal: arousal?.mean ?? null };
    return { frames, seconds, tracks: summary.tracks.length, coverage, ...means };
  } catch (error) {
    throw diskError(error, entry);
  }
}

/** The stage before says its model before its first record comes, in facts. */
function aboutModel({ model, trainedOn, caution }: Context["facts"]): ScoreModel {
  const text = (fact: Json | undefined) => (typeof fact === "string" ? fact : null);
  return {
    model: text(model) ?? "a model without a name",
    trainedOn: text(trainedOn) ?? "unknown",
    caution: text(caution),
  };
}

function endingOf({ ending, source }: Context): NonNullable<Context["ending"]> {
  if (ending !== null) return ending;
  throw new PipeError(`Nobody said whether ${source.name} was read to its end, so its scores are not published.`, {
    hint: "The stage that reads the source must call context.verdict(…) after the last record.",
  });
}

async function durable(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: "wx", flush: true });
}

function bytesOf(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}
