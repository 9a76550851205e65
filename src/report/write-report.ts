import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import sharp from "sharp";
import { isLitter } from "../cache/litter.ts";
import { publish } from "../cache/publish.ts";
import { TempFolder } from "../cache/temp.ts";
import { diskError, makeFolder } from "../disk.ts";
import { PipeError } from "../errors.ts";
import { checkExperiment } from "./check-experiment.ts";
import type { Experiment } from "./experiment.ts";
import { type DrawnFigure, MARK, type PageTable, pageOf } from "./experiment-page.ts";
import {
  correlationTable,
  curveTable,
  gainTable,
  resultTable,
  runTable,
  seenTable,
  traceTable,
} from "./experiment-tables.ts";
import type { Figure } from "./figures/figure.ts";
import { figuresOf, type Section } from "./figures/index.ts";
import { asFile, draw } from "./svg.ts";
import { toCsv } from "./table.ts";

/**
 * Writes the report of an experiment: `index.html`, one page that needs nothing else; `figures/*.svg` and `*.png`, light,
 * for papers and slides; `tables/*.csv` with all digits. The folder appears whole or not at all, and takes the place of an
 * older report. Equal experiments give equal bytes (PNGs: with the same fonts on the machine).
 *
 * @returns bytes of all files
 * @throws PipeError where the experiment does not fit together, or the folder holds something that is not a report
 */
export async function writeExperimentReport(
  experiment: Experiment,
  folder: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<number> {
  checkExperiment(experiment);
  const place = resolve(folder);
  await checkPlace(place);
  const files = await filesOf(experiment, signal);
  await using temp = await TempFolder.make(dirname(place));
  const entry = join(temp.path, basename(place));
  try {
    for (const [name, bytes] of files) {
      signal?.throwIfAborted();
      await makeFolder(dirname(join(entry, name)));
      await writeFile(join(entry, name), bytes, { flush: true });
    }
    const own = await readFile(join(place, RUN_REPORT)).catch(() => undefined);
    if (own) await writeFile(join(entry, RUN_REPORT), own, { flush: true });
  } catch (error) {
    throw diskError(error, place);
  }
  await publish(temp, entry, place, (standing) => holds(standing, files));
  return [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
}

/** What the run that makes a report writes beside it: kept as it stands. */
const RUN_REPORT = "report.json";

type Files = ReadonlyMap<string, Buffer>;

async function filesOf(experiment: Experiment, signal: AbortSignal | undefined): Promise<Files> {
  const files = new Map<string, Buffer>();
  const drawn: Partial<Record<Section, DrawnFigure[]>> = {};
  for (const [section, figures] of Object.entries(figuresOf(experiment)) as [Section, readonly Figure[]][]) {
    drawn[section] = [];
    for (const figure of figures) {
      signal?.throwIfAborted();
      drawn[section].push(await drawnInto(files, figure));
    }
  }
  const tables = {
    results: { file: "results", table: resultTable(experiment) },
    gain: { file: "gain", table: gainTable(experiment) },
    seen: { file: "seen", table: seenTable(experiment) },
    runs: { file: "runs", table: runTable(experiment) },
    correlations: { file: "attention-and-movement", table: correlationTable(experiment) },
  };
  const others: PageTable[] = [
    { file: "training", table: curveTable(experiment) },
    ...experiment.traces.map((trace, i) => ({ file: `trace-${i + 1}`, table: traceTable(trace) })),
  ];
  for (const { file, table } of [...Object.values(tables), ...others])
    if (table.rows.length > 0) files.set(`tables/${file}.csv`, Buffer.from(toCsv(table)));
  const page = pageOf(experiment, { ...tables, figures: drawn as Record<Section, DrawnFigure[]> });
  files.set("index.html", Buffer.from(page));
  return files;
}

/** Draws a figure's panels and adds their files. */
async function drawnInto(files: Map<string, Buffer>, { panels, ...figure }: Figure): Promise<DrawnFigure> {
  const names = panels.map(({ id }) => (id === "" ? figure.id : `${figure.id}-${id}`));
  const drawings = [];
  for (const [i, { spec }] of panels.entries()) {
    const drawing = await draw(spec, names[i]!);
    const svg = Buffer.from(asFile(drawing));
    files.set(`figures/${names[i]}.svg`, svg);
    files.set(
      `figures/${names[i]}.png`,
      await sharp(svg, { density: 72 * SHARPNESS })
        .png()
        .toBuffer(),
    );
    drawings.push(drawing);
  }
  return { ...figure, drawings, files: names };
}

/** Pixels of a PNG for one of the drawing's own: enough for print at a column's width. */
const SHARPNESS = 3;

/** What stands in the report's place may be taken away if it is an older report and nothing else. */
async function checkPlace(place: string): Promise<void> {
  let names: string[];
  try {
    names = (await readdir(place, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(place.length + 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new PipeError(`${place} is not a folder that a report can be written to.`, {
      hint: "Choose another output folder.",
      cause: error,
    });
  }
  if (names.every((name) => name === RUN_REPORT || isLitter(basename(name)))) return;
  const page = await readFile(join(place, "index.html"), "utf8").catch(() => "");
  const stranger = names.find((name) => !isOurs(name) && !isLitter(basename(name)));
  if (page.includes(`data-report="${MARK}"`) && stranger === undefined) return;
  throw new PipeError(`${place} holds ${stranger ?? "an index.html"}, which is not of a report: it would be lost.`, {
    hint: "Choose another output folder, or move it away.",
  });
}

function isOurs(name: string): boolean {
  const inside = dirname(name);
  const ending = extname(name);
  if (inside === "figures") return ending === ".svg" || ending === ".png";
  return inside === "tables" ? ending === ".csv" : name === "index.html" || name === RUN_REPORT;
}

async function holds(place: string, files: Files): Promise<boolean> {
  const names = await readdir(place, { recursive: true, withFileTypes: true }).catch(() => []);
  const standing = names.filter((entry) => !entry.isDirectory() && entry.name !== RUN_REPORT);
  if (standing.length !== files.size) return false;
  for (const [name, bytes] of files) {
    const found = await readFile(join(place, name)).catch(() => undefined);
    if (!found?.equals(bytes)) return false;
  }
  return true;
}
