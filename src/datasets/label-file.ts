import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { parse } from "csv-parse/sync";
import { digestOf } from "../digest.ts";
import { PipeError, reasonOf } from "../errors.ts";
import type { Box, Label } from "../records.ts";
import type { Interval, LabelRange } from "./types.ts";

/** What a video's faces show over time, as the file beside the video says. */
export interface LabelFile {
  /** Name of the file, for messages. */
  readonly file: string;
  /** What `at` counts: microseconds of the container's clock, or decoded frames from 0. */
  readonly clock: "pts" | "index";
  /** Every label lies within it. */
  readonly range: LabelRange;
  /** The points have boxes: all of them, or none. */
  readonly boxed: boolean;
  /** In the order in which the file first names them; one without a name where it names nobody. */
  readonly people: readonly LabelledPerson[];
}

export interface LabelledPerson {
  readonly name: string | null;
  /** By ascending `at`, at least one. */
  readonly points: readonly LabelPoint[];
}

export interface LabelPoint {
  readonly at: number;
  readonly label: Label;
  /** Whose face it is: pixels of the upright, square-pixel frame. */
  readonly box: Box | null;
}

/** Where the labels of a video are looked for: `clip.labels.csv` beside `clip.mp4`. */
export function labelFileOf(video: string): string {
  return `${video.slice(0, video.length - extname(video).length)}.labels.csv`;
}

/**
 * The labels beside a video, with the sha256 (hex) of their file; undefined where there is no such file.
 *
 * @param declared the range of labels whose file declares none
 * @throws PipeError that names file and line where they cannot be used: see {@link labelsIn}
 */
export async function readLabelFile(
  video: string,
  declared: LabelRange,
): Promise<{ labels: LabelFile; digest: string } | undefined> {
  const path = labelFileOf(video);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new PipeError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  });
  if (found === undefined) return undefined;
  // A pipe would keep its reader waiting for ever.
  if (!found.isFile())
    throw new PipeError(`${path} is not a regular file.`, { hint: "Labels are one CSV file a video." });
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new PipeError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  });
  return { labels: labelsIn(basename(path), bytes.toString("utf8"), declared), digest: digestOf(bytes) };
}

/**
 * The labels in a CSV file's text. The header names the columns, in any order: one of `seconds`, `time_us` (both on the
 * container's clock) and `frame` (decoded frames from 0); `valence`, `arousal`; where there are several people `subject`,
 * a name; where several faces may be seen `x`, `y`, `width`, `height` in pixels. Comma, semicolon or tab parts them.
 * Comment lines may declare the labels' range: `# range: 1..9`, or each by its own `# valence: -10..10`.
 *
 * @throws PipeError that names the line of a column unknown, missing or twice there, of a line with more or fewer cells
 * than the header, a cell that is no finite number, a label outside the range, a time not after the one before, or two
 * people at one time without boxes
 */
export function labelsIn(file: string, text: string, declared: LabelRange): LabelFile {
  const range = rangeIn(file, text, declared);
  const [header, ...lines] = linesOf(file, text);
  if (header === undefined || lines.length === 0)
    throw new PipeError(`${file} has no labels: it needs a header and a line for each label.`, {
      hint: "A video without labels needs no such file.",
    });
  const columns = columnsOf(file, header);
  const rows = lines.map((line) => rowOf(file, line, columns, range));
  const people = new Map<string | null, Row[]>();
  for (const row of rows) {
    const own = people.get(row.subject) ?? [];
    people.set(row.subject, own);
    const before = own.at(-1);
    if (before !== undefined && row.at <= before.at) throw unsorted(file, row, before, columns);
    own.push(row);
  }
  if (!columns.boxed) refuseTwoAtOnce(file, rows);
  return {
    file,
    clock: columns.time === "frame" ? "index" : "pts",
    range,
    boxed: columns.boxed,
    people: [...people].map(([name, own]) => ({ name, points: own.map(({ at, label, box }) => ({ at, label, box })) })),
  };
}

const TIMES = ["seconds", "time_us", "frame"] as const;
const BOX = ["x", "y", "width", "height"] as const;
const COLUMNS = [...TIMES, "valence", "arousal", "subject", ...BOX] as const;
type Column = (typeof COLUMNS)[number];

interface Line {
  /** From 1. */
  readonly number: number;
  readonly cells: readonly string[];
}

interface Columns {
  readonly names: readonly Column[];
  readonly time: (typeof TIMES)[number];
  readonly named: boolean;
  readonly boxed: boolean;
}

interface Row extends LabelPoint {
  readonly line: number;
  readonly subject: string | null;
}

function linesOf(file: string, text: string): Line[] {
  try {
    const found = parse(text, {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      comment: "#",
      comment_no_infix: true,
      delimiter: [",", ";", "\t"],
      info: true,
    }) as unknown as { info: { lines: number }; record: string[] }[];
    return found.map(({ info, record }) => ({ number: info.lines, cells: record }));
  } catch (cause) {
    throw new PipeError(`${file} is not CSV: ${(cause as Error).message}.`, { hint: HINT, cause });
  }
}

const HINT = "Its first line names the columns, e.g. seconds,valence,arousal; data/README.md tells them all.";

function columnsOf(file: string, { number, cells }: Line): Columns {
  const refuse = (what: string): PipeError => new PipeError(`${file}, line ${number}: ${what}.`, { hint: HINT });
  const names = cells.map((cell) => {
    const name = COLUMNS.find((column) => column === cell.toLowerCase());
    if (name === undefined) throw refuse(`there is no column "${cell}"; there may be ${COLUMNS.join(", ")}`);
    return name;
  });
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw refuse(`column ${twice} is there twice`);
  const times = TIMES.filter((name) => names.includes(name));
  const [time] = times;
  if (time === undefined) throw refuse(`a column for the time is missing: ${TIMES.join(" or ")}`);
  if (times.length > 1) throw refuse(`${times.join(" and ")} both tell the time; keep one`);
  for (const name of ["valence", "arousal"] as const)
    if (!names.includes(name)) throw refuse(`column ${name} is missing`);
  const box = BOX.filter((name) => names.includes(name));
  if (box.length > 0 && box.length < BOX.length)
    throw refuse(`of a box there is only ${box.join(", ")}; it has ${BOX.join(", ")}`);
  return { names, time, named: names.includes("subject"), boxed: box.length > 0 };
}

function rowOf(file: string, { number, cells }: Line, { names, time, named, boxed }: Columns, range: LabelRange): Row {
  const refuse = (what: string, hint: string): PipeError =>
    new PipeError(`${file}, line ${number}: ${what}.`, { hint });
  if (cells.length !== names.length)
    throw refuse(
      `it has ${cells.length} cells, and the header names ${names.length}`,
      "Every line has a cell for each column.",
    );
  const cell = (name: Column): string => cells[names.indexOf(name)]!;
  const value = (name: Column): number => {
    const text = cell(name);
    const found = text === "" ? Number.NaN : Number(text);
    if (Number.isFinite(found)) return found;
    throw refuse(
      `${name} is ${text === "" ? "empty" : `"${text}"`}, not a number`,
      "Leave the line out where nothing is known; there is no label then.",
    );
  };
  const affect = (name: "valence" | "arousal"): number => {
    const found = value(name);
    const [low, high] = range[name];
    if (found >= low && found <= high) return found;
    throw refuse(
      `${name} is ${found}, outside the declared range ${low}..${high}`,
      `Declare the range that the labels were given in, by a line "# ${name}: LOW..HIGH" before the header; or mend the label.`,
    );
  };
  const given = value(time);
  if (time === "frame" && !(Number.isInteger(given) && given >= 0))
    throw refuse(
      `frame is ${given}, not a whole number from 0`,
      "Frames are counted as they are decoded; or use seconds.",
    );
  const subject = named ? cell("subject") : null;
  if (subject === "")
    throw refuse("subject is empty", "Name whose label it is; leave the column out if it is one person.");
  const box = boxed ? { x: value("x"), y: value("y"), width: value("width"), height: value("height") } : null;
  if (box !== null && !(box.width > 0 && box.height > 0))
    throw refuse(`the box is ${box.width} × ${box.height} pixels`, "A box has a width and a height above 0.");
  const label = { valence: affect("valence"), arousal: affect("arousal") };
  return { line: number, at: time === "seconds" ? given * 1e6 : given, label, subject, box };
}

function unsorted(file: string, row: Row, before: Row, { time }: Columns): PipeError {
  const whose = row.subject === null ? "" : ` for ${row.subject}`;
  const told = ({ at }: Row): number => (time === "seconds" ? at / 1e6 : at);
  return new PipeError(
    `${file}, line ${row.line}: ${time} ${told(row)} does not come after line ${before.line}'s ${told(before)}${whose}.`,
    { hint: "Each person's labels are sorted by time, one at a time; a column `subject` tells people apart." },
  );
}

/** Without boxes nobody could say which of two faces is whose. */
function refuseTwoAtOnce(file: string, rows: readonly Row[]): void {
  const sorted = [...rows].sort((a, b) => a.at - b.at || a.line - b.line);
  for (const [i, row] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before?.at === row.at)
      throw new PipeError(
        `${file}, line ${row.line}: ${row.subject} has a label at the time of ${before.subject} (line ${before.line}), and there is no box to say whose face is whose.`,
        { hint: "Add the columns x, y, width and height of the person's face, in pixels." },
      );
  }
}

/** What comment lines declare, over what was declared elsewhere. */
function rangeIn(file: string, text: string, declared: LabelRange): LabelRange {
  const range: Record<keyof LabelRange, Interval> = { ...declared };
  for (const [i, line] of text.split(/\r\n|\r|\n/).entries()) {
    const [, name, rest] = /^\ufeff?#\s*(range|valence|arousal)\s*[:=](.*)$/i.exec(line) ?? [];
    if (name === undefined) continue;
    const [, low, high] = /^\s*(\S+?)\s*\.\.\s*(\S+)\s*$/.exec(rest!) ?? [];
    const interval = [Number(low), Number(high)] as const;
    if (!(low !== undefined && interval.every(Number.isFinite) && interval[0] < interval[1]))
      throw new PipeError(`${file}, line ${i + 1}: "${line.trim()}" is not the range of a label.`, {
        hint: "A range is written # range: -1..1",
      });
    for (const dimension of ["valence", "arousal"] as const)
      if (name.toLowerCase() === "range" || name.toLowerCase() === dimension) range[dimension] = interval;
  }
  return range;
}
