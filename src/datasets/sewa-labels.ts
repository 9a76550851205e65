import { parse } from "csv-parse/sync";
import { PipeError } from "../errors.ts";

/** One line of an annotation file. */
export interface LabelRow {
  /** The frame column as it stands. */
  readonly name: string;
  /** NaN where that is no whole number. */
  readonly id: number;
  /** NaN where it is empty or no number. */
  readonly value: number;
}

/**
 * The rows of a `<stem>_{Valence,Arousal}_*_Aligned.csv`: the frame is in the column so called, or else in the first;
 * the value in the column called as the dimension, or else in the second. Lines that hold one cell or none have no value.
 *
 * @throws PipeError when it is not CSV or has fewer than two columns
 */
export function sewaLabels(file: string, text: string, dimension: "valence" | "arousal"): LabelRow[] {
  let rows: string[][];
  try {
    rows = parse(text, { bom: true, trim: true, skip_empty_lines: true, relax_column_count: true }) as string[][];
  } catch (cause) {
    throw new PipeError(`${file}: it is not CSV: ${(cause as Error).message}`, { hint: "Copy the file again.", cause });
  }
  const [header] = rows;
  if (header === undefined || header.length < 2)
    throw new PipeError(`${file}: it has no columns for frame and ${dimension}.`, {
      hint: `Its first line should name them, e.g. "frame,${dimension}".`,
    });
  // A file whose first line is numbers lacks its header; the columns are where they always are.
  const named = header.some((cell) => !Number.isFinite(Number(cell)));
  const columns = named ? header.map((cell) => cell.toLowerCase()) : [];
  const frameColumn = Math.max(
    0,
    columns.findIndex((cell) => cell.includes("frame")),
  );
  const found = columns.findIndex((cell) => cell.includes(dimension));
  const valueColumn = found >= 0 ? found : 1;
  return rows.slice(named ? 1 : 0).map((cells) => {
    const name = cells[frameColumn] ?? "";
    const id = numberIn(name);
    return { name, id: Number.isInteger(id) ? id : Number.NaN, value: numberIn(cells[valueColumn] ?? "") };
  });
}

function numberIn(cell: string): number {
  const value = cell === "" ? Number.NaN : Number(cell);
  return Number.isFinite(value) ? value : Number.NaN;
}
