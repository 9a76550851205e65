import type { Json } from "../digest.ts";
import type { ReportItem } from "../pipelines/report.ts";
import type { RunResult } from "../pipelines/run.ts";
import { factInWords } from "./fact.ts";
import { printable } from "./session.ts";
import { table } from "./table.ts";

/** What was found, item by item; the last line is the folder that holds what was made. */
export function summary({ report, outcomes, output }: Pick<RunResult, "report" | "outcomes" | "output">): string {
  const order = inOrder(report.items);
  const metrics = [...new Set(outcomes.flatMap(({ facts }) => Object.keys(measured(facts))))];
  const rows = order.slice(0, MOST).map((i) => {
    const item = report.items[i]!;
    const found = Object.entries(item.counts.rows).filter(([, n]) => n > 0);
    const { facts, seconds } = outcomes[i]!;
    return [
      printable(item.source.name),
      item.status,
      found.map(([status, n]) => `${status} ${n}`).join(", "),
      facts.tracks === undefined ? "" : String(facts.tracks),
      item.verdict ?? "",
      ...metrics.map((name) => measured(facts)[name]?.toFixed(3) ?? ""),
      seconds === 0 ? "" : seconds.toFixed(2),
      item.reason === undefined ? "" : printable(item.reason),
    ];
  });
  const { done, cached, partial, failed, stopped, notStarted } = report.totals;
  const all = { done, cached, partial, failed, stopped, "not started": notStarted };
  const counts = Object.entries(all).filter(([, n]) => n > 0);
  const facts = Object.entries(report.facts)
    .filter(([name]) => !ELSEWHERE.includes(name))
    .map(([name, value]) => `${name}: ${printable(factInWords(value as Json))}\n`);
  return [
    // What a stage has to show is shown as it is.
    ...outcomes.flatMap(({ facts: { text } }) => (typeof text === "string" ? [`${text}\n`] : [])),
    rows.length > 0 &&
      table(filled(["source", "status", "rows", "tracks", "verdict", ...metrics, "seconds", ""], rows)),
    restOf(order.slice(MOST).map((i) => report.items[i]!)),
    ...facts,
    `${counts.map(([name, n]) => `${n} ${name}`).join(", ") || "nothing done"} in ${report.seconds.toFixed(1)} s\n`,
    `${output}\n`,
  ]
    .filter(Boolean)
    .join("");
}

/** Facts that are columns, that are shown as they are, or that come last of all. */
const ELSEWHERE = ["metrics", "text", "caution"];

/** Rows of the table: enough to see how it goes, few enough to leave the screen to what matters. */
const MOST = 20;

/** What somebody must look at comes before what went well. */
const WELL: readonly ReportItem["status"][] = ["done", "cached"];

/** Positions of the items: as they were found, where all of them have a row. */
function inOrder(items: readonly ReportItem[]): number[] {
  const positions = items.map((_, i) => i);
  if (items.length <= MOST) return positions;
  const well = (i: number) => WELL.includes(items[i]!.status);
  return [...positions.filter((i) => !well(i)), ...positions.filter(well)];
}

/** `… and 580 more, all done; report.json has them` */
function restOf(items: readonly ReportItem[]): string {
  if (items.length === 0) return "";
  const statuses = [...new Set(items.map(({ status }) => status))];
  const count = (status: ReportItem["status"]) => items.filter((item) => item.status === status).length;
  const [only] = statuses;
  const how = statuses.length === 1 ? `all ${only}` : statuses.map((status) => `${count(status)} ${status}`).join(", ");
  return `… and ${items.length} more, ${how}; report.json has them\n`;
}

/** The numbers that a stage measured on its own result, by name. */
function measured({ metrics }: Readonly<Record<string, Json>>): Record<string, number> {
  return (metrics ?? {}) as Record<string, number>;
}

/** The columns that some row has something in; empty cells of those are a dash. */
function filled(head: readonly string[], rows: readonly (readonly string[])[]): string[][] {
  const kept = head.flatMap((name, i) => (name === "" || rows.some((row) => row[i] !== "") ? [i] : []));
  const line = (row: readonly string[]) => kept.map((i) => row[i] || (head[i] === "" ? "" : "-"));
  return [kept.map((i) => head[i]!), ...rows.map(line)];
}
