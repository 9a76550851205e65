/** A figure that may have a deviation: `2.398 ± 0.101`. A string is shown as it is, null as "–". */
export type Cell = string | number | null | { readonly value: number; readonly sd: number | null };

/** A table of results: what a reader sees, before it is text, Markdown or CSV. */
export interface ReportTable {
  readonly title: string;
  /** The first is that of the rows' names. */
  readonly columns: readonly string[];
  /** Each as long as `columns`. */
  readonly rows: readonly (readonly Cell[])[];
  /** What one must know to read it. */
  readonly notes: readonly string[];
  /** Digits after the point. Default 3, the papers'. Whole numbers in integer columns have none. */
  readonly digits?: number;
}

/** Columns padded with spaces, names left and figures right; a line for each note below. */
export function toText(table: ReportTable): string {
  const lines = [table.columns, ...shownRows(table)];
  const widths = table.columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const shown = lines.map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  return [table.title, "", ...shown, ...(table.notes.length > 0 ? [""] : []), ...table.notes]
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

export function toMarkdown(table: ReportTable): string {
  const safe = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const line = (cells: readonly string[]) => `| ${cells.map(safe).join(" | ")} |`;
  return [
    `**${table.title}**`,
    "",
    line(table.columns),
    line(table.columns.map((_, i) => (i === 0 ? ":--" : "--:"))),
    ...shownRows(table).map(line),
    ...(table.notes.length > 0 ? ["", ...table.notes.map((note) => `- ${note}`)] : []),
  ]
    .map((text) => `${text}\n`)
    .join("");
}

/**
 * RFC 4180 with all digits; a column that has deviations is followed by one for them. Title and notes are left out, so
 * that the first line names the columns.
 */
export function toCsv(table: ReportTable): string {
  const spread = table.columns.map((_, i) => table.rows.some((row) => isSpread(row[i] ?? null)));
  const pair = <T>(cells: readonly T[], deviation: (cell: T) => T): T[] =>
    cells.flatMap((cell, i) => (spread[i] ? [cell, deviation(cell)] : [cell]));
  const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const plain = (cell: Cell) => (cell === null ? "" : `${isSpread(cell) ? cell.value : cell}`);
  const lines = [
    pair(table.columns, (column) => `${column} sd`),
    ...table.rows.map((row) => pair(row, (cell) => (isSpread(cell) ? cell.sd : null)).map(plain)),
  ];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** Cells as a reader sees them, each column with its own digits. */
export function shownRows({ rows, columns, digits = 3 }: ReportTable): string[][] {
  const whole = columns.map((_, i) => rows.every((row) => isWhole(row[i] ?? null)));
  const figure = (value: number, i: number) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
    return whole[i] && Number.isInteger(value) ? `${value}` : value.toFixed(digits);
  };
  return rows.map((row) =>
    row.map((cell, i) => {
      if (cell === null) return "–";
      if (typeof cell === "string") return cell;
      if (typeof cell === "number") return figure(cell, i);
      return cell.sd === null
        ? cell.value.toFixed(digits)
        : `${cell.value.toFixed(digits)} ± ${cell.sd.toFixed(digits)}`;
    }),
  );
}

function isWhole(cell: Cell): boolean {
  return cell === null || typeof cell === "string" || Number.isInteger(cell);
}

function isSpread(cell: Cell): cell is { value: number; sd: number | null } {
  return typeof cell === "object" && cell !== null;
}
