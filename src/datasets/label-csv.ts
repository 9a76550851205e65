import { parse } from "csv-parse/sync";
import { PipeError } from "../errors.ts";
import { Numbers } from "./label-numbers.ts";
import { personKey } from "./person.ts";
import type { Interval, LabelFile, LabelPoint, LabelRange } from "./types.ts";

/**
 * The labels in a CSV file's text. The header names the columns, in any order: one of `seconds`, `time_us` and
 * `frame` (decoded frames from 0); `valence`, `arousal`; where there are several people `subject`,
 * a name; where several faces may be seen `x`, `y`, `width`, `height` in pixels. Comma, semicolon or tab parts them,
 * whichever the header has; between semicolons or tabs numbers may have decimal commas.
 * Comment lines may declare the labels' range: `# range: 1..9`, or each by its own `# valence: -10..10`.
 *
 * @throws PipeError that names the line of a column unknown, missing or twice there, of a line with more or fewer cells
 * than the header, a cell that is no finite number, a label outside the range, a time not after the one before, or two
 * people at one time without boxes
 */
export function labelsIn(file: string, text: string, declared: LabelRange): LabelFile {
  const range = rangeIn(file, text, declared);
  const people = new Map<string | null, Person>();
  let layout: { readonly columns: Columns; readonly numbers: Numbers } | undefined;
  forEachLine(file, text, (line, delimiter) => {
    if (layout === undefined) {
      layout = { columns: columnsOf(file, line), numbers: new Numbers(file, delimiter) };
      return;
    }
    const { columns, numbers } = layout;
    const { subject, ...point } = rowOf(file, line, columns, range, numbers);
    const key = subject === null ? null : personKey(subject);
    const own = people.get(key) ?? { name: subject, also: new Set(), points: [], lines: [] };
    people.set(key, own);
    const before = own.points.at(-1);
    if (before !== undefined && point.at <= before.at)
      throw unsorted(
        file,
        { at: point.at, line: line.number, subject },
        { at: before.at, line: own.lines.at(-1)! },
        columns,
      );
    if (subject !== null && subject !== own.name) own.also.add(subject);
    own.points.push(point);
    own.lines.push(line.number);
  });
  if (layout === undefined || people.size === 0)
    throw new PipeError(`${file} has no labels: it needs a header and a line for each label.`, {
      hint: "A video without labels needs no such file.",
    });
  const { columns } = layout as { columns: Columns };
  if (!columns.boxed && people.size > 1) refuseTwoAtOnce(file, [...people.values()]);
  return {
    file,
    clock: columns.time === "frame" ? "index" : "pts",
    range,
    boxed: columns.boxed,
    people: [...people.values()].map(({ name, also, points }) => ({
      name,
      ...(also.size > 0 && { also: [...also] }),
      points,
    })),
  };
}

interface Person {
  readonly name: string | null;
  readonly also: Set<string>;
  readonly points: LabelPoint[];
  /** The line of each point. */
  readonly lines: number[];
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

/** Calls `take` for the header and then for each label; no line is kept, so that long files need little memory. */
function forEachLine(file: string, text: string, take: (line: Line, delimiter: string) => void): void {
  // Excel's own line, which says what parts the cells.
  const told = /^\ufeff?sep=(.)\r?$/im.exec(text.slice(0, 8));
  const lines = told === null ? text : `#${text.slice(told[0].length)}`;
  const delimiter = told?.[1] ?? delimiterOf(lines);
  try {
    parse(lines, {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      comment: "#",
      comment_no_infix: true,
      delimiter,
      on_record: (cells: string[], { lines: number }) => {
        take({ number, cells }, delimiter);
        return null;
      },
    });
  } catch (cause) {
    if (cause instanceof PipeError) throw cause;
    throw new PipeError(`${file} is not CSV: ${(cause as Error).message}.`, { hint: HINT, cause });
  }
}

/** What parts the cells of the header; a label's cell may have a decimal comma in it. */
function delimiterOf(text: string): string {
  const header = /^[^\S\r\n]*[^#\s\ufeff].*$/m.exec(text)?.[0] ?? "";
  return [";", "\t"].find((one) => header.includes(one)) ?? ",";
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

function rowOf(
  file: string,
  { number, cells }: Line,
  { names, time, named, boxed }: Columns,
  range: LabelRange,
  numbers: Numbers,
): LabelPoint & { readonly subject: string | null } {
  const refuse = (what: string, hint: string): PipeError =>
    new PipeError(`${file}, line ${number}: ${what}.`, { hint });
  if (cells.length !== names.length)
    throw refuse(
      `it has ${cells.length} cells, and the header names ${names.length}`,
      cells.length > names.length
        ? "Every line has a cell for each column. Where numbers have decimal commas, part the cells by semicolons."
        : "Every line has a cell for each column.",
    );
  const cell = (name: Column): string => cells[names.indexOf(name)]!;
  const value = (name: Column): number => {
    const text = cell(name);
    // A comma in a whole number parts its thousands.
    const whole = name === "frame" || name === "time_us";
    const found = whole && text.includes(",") ? Number.NaN : numbers.read(text, number);
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
  return { at: time === "seconds" ? given * 1e6 : given, label, subject, box };
}

interface Place {
  readonly at: number;
  readonly line: number;
}

function unsorted(
  file: string,
  row: Place & { readonly subject: string | null },
  before: Place,
  { time }: Columns,
): PipeError {
  const whose = row.subject === null ? "" : ` for ${row.subject}`;
  const told = ({ at }: Place): number => (time === "seconds" ? at / 1e6 : at);
  return new PipeError(
    `${file}, line ${row.line}: ${time} ${told(row)} does not come after line ${before.line}'s ${told(before)}${whose}.`,
    { hint: "Each person's labels are sorted by time, one at a time; a column `subject` tells people apart." },
  );
}

/** Without boxes nobody could say which of two faces is whose. */
function refuseTwoAtOnce(file: string, people: readonly Person[]): void {
  const all = people.flatMap(({ name, points, lines }) => points.map(({ at }, i) => ({ name, at, line: lines[i]! })));
  all.sort((a, b) => a.at - b.at || a.line - b.line);
  for (const [i, row] of all.entries()) {
    const before = all[i - 1];
    if (before?.at === row.at)
      throw new PipeError(
        `${file}, line ${row.line}: ${row.name} has a label at the time of ${before.name} (line ${before.line}), and there is no box to say whose face is whose.`,
        { hint: "Add the columns x, y, width and height of the person's face, in pixels." },
      );
  }
}

/** What comment lines declare, over what was declared elsewhere. */
function rangeIn(file: string, text: string, declared: LabelRange): LabelRange {
  const range: Record<keyof LabelRange, Interval> = { ...declared };
  for (const { 0: line, 1: name, 2: rest, index } of text.matchAll(
    /^\ufeff?#[^\S\r\n]*(range|valence|arousal)[^\S\r\n]*[:=](.*)$/gim,
  )) {
    const [, low, high] = /^\s*(\S+?)\s*\.\.\s*(\S+)\s*$/.exec(rest!) ?? [];
    const interval = [number(low), number(high)] as const;
    if (!(interval.every(Number.isFinite) && interval[0] < interval[1]))
      throw new PipeError(
        `${file}, line ${text.slice(0, index).split(/\r\n|\r|\n/).length}: "${line.replace("\ufeff", "").trim()}" is not the range of a label.`,
        {
          hint: "A range is written # range: -1..1",
        },
      );
    for (const dimension of ["valence", "arousal"] as const)
      if (name!.toLowerCase() === "range" || name!.toLowerCase() === dimension) range[dimension] = interval;
  }
  return range;
}

const number = (text = ""): number => (text === "" ? Number.NaN : Number(text.replace(",", ".")));
