import { readFile, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { z } from "zod";
import { fingerprint, isSettled } from "../../cache/fingerprint.ts";
import { readRegularFile } from "../../regular-file.ts";
import { folderNames, MARKER, scoresFolder } from "./entry.ts";

/** One video of an archive: a line of `index.csv` and of the index's page. */
export interface IndexRow {
  /** As shown to people: relative to where it was looked for. */
  readonly name: string;
  /** Absolute path; empty where only its scores are known. */
  readonly path: string;
  /** Of its scores, below the output folder; empty where there are none. */
  readonly folder: string;
  readonly status: "done" | "partial" | "failed" | "stopped";
  /** How decoding ended; empty where nobody can say. */
  readonly verdict: string;
  /** What went wrong, or empty. */
  readonly reason: string;
  readonly seconds: number | null;
  readonly frames: number | null;
  readonly tracks: number | null;
  /** Share of the frames with a scored face. */
  readonly coverage: number | null;
  /** Means of the raw scores. */
  readonly valence: number | null;
  readonly arousal: number | null;
  /** sha256 of the video, hex; empty where it was never read. */
  readonly digest: string;
  /** What said the scores, and the lowest and highest that it can say; empty and null where there are none. */
  readonly model: string;
  readonly valence_low: number | null;
  readonly valence_high: number | null;
  readonly arousal_low: number | null;
  readonly arousal_high: number | null;
  /** What the model's weights have seen. */
  readonly trained_on: string;
  /** Why the scores are not to be relied on, or empty. */
  readonly caution: string;
}

/** What became of one video of a run. */
export interface Listed {
  readonly source: { readonly name: string; readonly path: string; readonly digest?: string | undefined };
  readonly status: "done" | "cached" | "partial" | "failed" | "stopped";
  readonly reason?: string | undefined;
}

export const INDEX_CSV = "index.csv";
const COLUMNS = [
  "name",
  "path",
  "folder",
  "status",
  "verdict",
  "reason",
  "seconds",
  "frames",
  "tracks",
  "coverage",
  "valence",
  "arousal",
  "digest",
  "model",
  "valence_low",
  "valence_high",
  "arousal_low",
  "arousal_high",
  "trained_on",
  "caution",
] as const satisfies readonly (keyof IndexRow)[];

/**
 * All videos whose scores lie in a folder, and those that failed, by name: those of this run, those that an earlier index
 * lists and that are still there, and scores that no index knows. Two videos of one content are two rows of one folder.
 */
export async function indexRows(output: string, run: readonly Listed[]): Promise<IndexRow[]> {
  const rows = new Map<string, IndexRow>();
  const own = new Set(run.map(({ source }) => source.path));
  const earlier = (await earlierRows(output)).filter(({ path }) => path !== "" && !own.has(path));
  const known = await inTurns(earlier, async (row) => {
    // What failed is listed for as long as it is there to be tried again.
    if (row.folder === "") return (await stat(row.path).catch(() => undefined)) && row;
    const scores = await scoresIn(join(resolve(output), row.folder));
    return scores && { ...row, ...scores, name: row.name };
  });
  const names = await folderNames(resolve(output));
  const ran = await inTurns(run, (item) => rowOf(output, item, names));
  for (const row of [...known, ...ran]) if (row) rows.set(row.path, row);
  const folders = new Set([...rows.values()].map(({ folder }) => folder));
  const listed = new Set([...rows.values()].map(({ name }) => name));
  const others = [...names.values()].filter((folder) => !folders.has(below(output, folder)));
  const found = await inTurns(others, async (path) => {
    const scores = await scoresIn(path);
    // Scores of a video that was edited since are not the video's any more.
    if (!scores || listed.has(scores.name)) return undefined;
    return { path: "", folder: below(output, path), reason: scores.detail, ...scores } as IndexRow;
  });
  const all = [...rows.values(), ...found.filter((row) => row !== undefined)];
  return all.map(plain).sort((a, b) => compare(a.name, b.name) || compare(a.path, b.path));
}

/** RFC 4180 with a header. */
export function indexCsv(rows: readonly IndexRow[]): string {
  return stringify(
    rows.map((row) => COLUMNS.map((name) => row[name])),
    { header: true, columns: [...COLUMNS], cast: { number: String } },
  );
}

async function rowOf(
  output: string,
  { source, status, reason = "" }: Listed,
  names: ReadonlyMap<string, string>,
): Promise<IndexRow | undefined> {
  const { name, path, digest = "" } = source;
  const bare = { ...NOTHING, name, path, reason, digest };
  if (status === "failed" || status === "stopped" || digest === "")
    return { ...bare, status: status === "stopped" ? "stopped" : "failed" };
  const folder = await scoresFolder(output, { name, digest }, names);
  const scores = await scoresIn(folder);
  // Somebody took them away since.
  if (!scores) return undefined;
  return { ...bare, ...scores, name, folder: below(output, folder), reason: reason === "" ? scores.detail : reason };
}

const NOTHING = {
  folder: "",
  verdict: "",
  seconds: null,
  frames: null,
  tracks: null,
  coverage: null,
  valence: null,
  arousal: null,
  model: "",
  valence_low: null,
  valence_high: null,
  arousal_low: null,
  arousal_high: null,
  trained_on: "",
  caution: "",
} as const;

/** A folder as the index names it: below the output, with slashes. */
const below = (output: string, folder: string): string => relative(resolve(output), folder).replaceAll(sep, "/");

const ends = z.tuple([z.number(), z.number()]);
const facts = z.object({
  model: z.string().default(""),
  trainedOn: z.string().default(""),
  caution: z.string().default(""),
  scale: z.object({ valence: ends, arousal: ends }).optional(),
});
const overview = z.object({
  source: z.object({ name: z.string(), digest: z.string() }),
  verdict: z.string(),
  detail: z.string().default(""),
  facts: facts.prefault({}),
  overview: z.object({
    frames: z.number(),
    seconds: z.number(),
    tracks: z.number(),
    coverage: z.number(),
    valence: z.number().nullable(),
    arousal: z.number().nullable(),
  }),
});

/** What was read of folders in this process, as long as their markers stay as they were. */
const known = new Map<string, { readonly print: string; readonly scores: ReturnType<typeof readScores> }>();

/** What the marker in a folder says for an index; ten thousand are not read again because one has come. */
async function scoresIn(folder: string): ReturnType<typeof readScores> {
  const stats = await stat(join(folder, MARKER), { bigint: true }).catch(() => undefined);
  if (stats === undefined) {
    known.delete(folder);
    return undefined;
  }
  const print = fingerprint(stats);
  const before = known.get(folder);
  if (before?.print === print) return before.scores;
  const scores = readScores(folder);
  if (isSettled(stats)) known.set(folder, { print, scores });
  return scores;
}

/** Its seal is the reader's of the scores to check, not ours. */
async function readScores(folder: string) {
  try {
    const {
      source,
      verdict,
      detail,
      facts: { model, trainedOn, caution, scale },
      overview: said,
    } = overview.parse(JSON.parse((await readRegularFile(join(folder, MARKER))).toString()));
    const status = verdict === "complete" ? ("done" as const) : ("partial" as const);
    return {
      name: source.name,
      digest: source.digest,
      status,
      verdict,
      detail,
      ...said,
      model,
      valence_low: scale?.valence[0] ?? null,
      valence_high: scale?.valence[1] ?? null,
      arousal_low: scale?.arousal[0] ?? null,
      arousal_high: scale?.arousal[1] ?? null,
      trained_on: trainedOn,
      caution,
    };
  } catch {
    return undefined;
  }
}

/** Whatever else was put together, a row has its own fields alone, in order. */
function plain(row: IndexRow): IndexRow {
  return Object.fromEntries(COLUMNS.map((name) => [name, row[name]])) as unknown as IndexRow;
}

async function earlierRows(output: string): Promise<IndexRow[]> {
  const number = z.string().transform((text) => (text === "" ? null : Number(text)));
  const schema = z.object({
    ...Object.fromEntries(COLUMNS.map((name) => [name, z.string()])),
    status: z.enum(["done", "partial", "failed", "stopped"]),
    ...Object.fromEntries(
      COLUMNS.filter((name) => NOTHING[name as keyof typeof NOTHING] === null).map((name) => [name, number]),
    ),
  });
  try {
    const lines = parse(await readFile(join(resolve(output), INDEX_CSV), "utf8"), { columns: true }) as unknown[];
    return lines.flatMap((line) => (schema.safeParse(line).data as IndexRow | undefined) ?? []);
  } catch {
    // None, or one that was spoilt: it only remembers names.
    return [];
  }
}

/** A few at a time: thousands of open files at once are more than a process may have. */
async function inTurns<A, B>(items: readonly A[], work: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (let from = 0; from < items.length; from += 64)
    results.push(...(await Promise.all(items.slice(from, from + 64).map(work))));
  return results;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
