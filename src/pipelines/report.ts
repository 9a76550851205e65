import path from "node:path";
import { z } from "zod";
import { TextFile } from "../cache/text-file.ts";
import { canonical, type Json } from "../digest.ts";
import { diskError } from "../disk.ts";
import { PipeError, reasonOf } from "../errors.ts";
import { type Counts, Ledger } from "../ledger.ts";
import { STATUSES, VERDICTS } from "../records.ts";
import type { PlanItem } from "./plan.ts";
import type { Outcome } from "./task.ts";

const count = z.int().nonnegative();
const countsSchema = z.strictObject({
  demuxed: count.describe("video packets read that should each give a frame"),
  decoded: count,
  failed: count.describe("packets that gave no frame"),
  sampled: count,
  skipped: count.describe("decoded frames that the sampling passed over"),
  extra: count.describe("subjects beyond the first in a frame"),
  rows: z.strictObject(
    Object.fromEntries(STATUSES.map((status) => [status, count])) as Record<keyof Counts["rows"], typeof count>,
  ),
});
const secondsSchema = z.record(z.string(), z.number().nonnegative());
const factsSchema = z.record(z.string(), z.json());

/** report.json: what a run did, item by item, and why. */
export const reportSchema = z.strictObject({
  pipeline: z.string(),
  params: z.record(z.string(), z.json()),
  startedAt: z.iso.datetime(),
  seconds: z.number().nonnegative().describe("wall clock, whole run"),
  versions: z.record(z.string(), z.string()),
  engine: z.json().describe("what executed the models and why; null where no model ran"),
  facts: factsSchema.describe("what holds for every item"),
  items: z.array(
    z.strictObject({
      source: z.strictObject({
        name: z.string().describe("as shown to people: relative to the input root"),
        path: z.string(),
        bytes: count.optional(),
        digest: z.string().optional().describe("sha256 of the bytes, hex"),
      }),
      key: z.string().nullable().describe("the sink's key; null when the source was refused"),
      status: z
        .enum(["done", "cached", "failed", "partial", "stopped"])
        .describe("stopped: the run was ended before the item was; the same command takes it up again"),
      reason: z.string().optional(),
      verdict: z.enum(VERDICTS).nullable().describe("how decoding ended; null when it was never said"),
      counts: countsSchema,
      stages: secondsSchema.describe(
        "seconds inside each stage; they overlap, so they may add up to more than the wall clock",
      ),
      facts: factsSchema.describe("what holds for this item alone"),
    }),
  ),
  totals: z.strictObject({
    items: count,
    done: count,
    cached: count,
    failed: count,
    partial: count,
    stopped: count.describe("begun, but not finished when the run was stopped"),
    notStarted: count.describe("planned, but not begun when the run was stopped"),
    interrupted: z.boolean(),
    counts: countsSchema,
    stages: secondsSchema,
  }),
});
export type Report = z.output<typeof reportSchema>;
export type ReportItem = Report["items"][number];

/** One item of the report. */
export function reportItem(item: PlanItem, outcome: Outcome): ReportItem {
  const { status, reason, verdict, counts, stages, facts } = outcome;
  return {
    source: { ...item.source },
    key: item.key,
    status,
    ...(reason !== undefined && { reason }),
    verdict,
    counts: structuredClone(counts),
    stages: { ...stages },
    facts: { ...facts } as ReportItem["facts"],
  };
}

/** Puts a run's items together: facts that all of them share are said once. */
export function makeReport(
  run: Pick<Report, "pipeline" | "params" | "startedAt" | "seconds" | "versions">,
  items: readonly ReportItem[],
  rest: { readonly notStarted: number; readonly interrupted: boolean },
): Report {
  const facts = sharedFacts(items);
  const status = (name: ReportItem["status"]) => items.filter((item) => item.status === name).length;
  const counts = new Ledger().counts;
  const stages: Record<string, number> = {};
  for (const item of items) {
    for (const name of ["demuxed", "decoded", "failed", "sampled", "skipped", "extra"] as const)
      counts[name] += item.counts[name];
    for (const name of STATUSES) counts.rows[name] += item.counts.rows[name];
    for (const [stage, seconds] of Object.entries(item.stages))
      stages[stage] = Math.round(((stages[stage] ?? 0) + seconds) * 1e4) / 1e4;
  }
  return {
    ...run,
    engine: engineOf(items),
    facts,
    items: items.map((item) => ({
      ...item,
      facts: Object.fromEntries(Object.entries(item.facts).filter(([name]) => !Object.hasOwn(facts, name))),
    })),
    totals: {
      items: items.length,
      done: status("done"),
      cached: status("cached"),
      failed: status("failed"),
      partial: status("partial"),
      stopped: status("stopped"),
      ...rest,
      counts,
      stages,
    },
  };
}

/** Writes `report.json` into a folder in one move: no reader ever sees half of it. Throws PipeError when it cannot. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  const file = path.join(folder, "report.json");
  try {
    await using text = await TextFile.open(file);
    await text.write(`${JSON.stringify(report, null, 2)}\n`);
    await text.publish();
    return file;
  } catch (error) {
    const told = diskError(error, file);
    throw told instanceof PipeError
      ? told
      : new PipeError(`Cannot write ${file}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Facts that are always an item's own. */
const OWN = ["tracks", "warnings"];

/** Facts with the same value in every item that has any, but for those that are an item's own. */
function sharedFacts(items: readonly ReportItem[]): Report["facts"] {
  const telling = items.filter((item) => Object.keys(item.facts).length > 0);
  const [first, ...others] = telling;
  if (!first) return {};
  const same = Object.entries(first.facts).filter(
    ([name, value]) =>
      !OWN.includes(name) &&
      others.every(
        (item) => item.facts[name] !== undefined && canonical(item.facts[name] as Json) === canonical(value as Json),
      ),
  );
  return Object.fromEntries(same);
}

/** The engine that some item names, itself or in one of its facts. */
function engineOf(items: readonly ReportItem[]): Report["engine"] {
  for (const { facts } of items) {
    if (facts.engine !== undefined) return facts.engine;
    for (const fact of Object.values(facts))
      if (fact !== null && typeof fact === "object" && "engine" in fact) return fact.engine as Report["engine"];
  }
  return null;
}
