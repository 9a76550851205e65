import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { makeReport } from "../../src/pipelines/report.ts";
import { pipelinesJsonSchema, reportJsonSchema } from "../../src/pipelines/schema.ts";
import { file, stages } from "./fakes.ts";

const reader = (schema: object) => z.fromJSONSchema(schema as never);

describe("schemas", () => {
  it("a pipelines file's accepts what loads, and underlines what does not", () => {
    const schema = reader(pipelinesJsonSchema(stages));
    const accepts = (text: string) => schema.safeParse(parse(text)).success;
    expect(accepts(file)).toBe(true);
    expect(accepts(file.replace("weigh: { scale: $scale }", "weigh:"))).toBe(true);
    expect(accepts(file.replace("weigh:", "wiegh:"))).toBe(false);
    expect(accepts(file.replace("scale: $scale", "scael: $scale"))).toBe(false);
    expect(accepts(file.replace("scale: $scale", "scale: much"))).toBe(false);
    expect(accepts(file.replace("type: integer", "type: int"))).toBe(false);
  });

  it("the report's accepts a report and refuses one with a member too many or a status unknown", () => {
    const schema = reader(reportJsonSchema());
    const run = {
      pipeline: "p",
      params: { a: [1, null] },
      startedAt: new Date(0).toISOString(),
      seconds: 1.5,
      versions: {},
    };
    const counts = makeReport(run, [], { notStarted: 0, interrupted: false }).totals.counts;
    const item = {
      source: { name: "a", path: "/a", bytes: 1, digest: "d" },
      key: null,
      status: "failed" as const,
      reason: "r",
      verdict: null,
      counts,
      stages: { x: 0.5 },
      facts: { engine: "e", n: 1 },
    };
    const report = makeReport(run, [item, { ...item, facts: { engine: "e", n: 2 } }], {
      notStarted: 1,
      interrupted: true,
    });
    expect(schema.safeParse(report).error).toBeUndefined();
    expect(report).toMatchObject({
      engine: "e",
      facts: { engine: "e" },
      items: [{ facts: { n: 1 } }, { facts: { n: 2 } }],
    });
    expect(report.totals).toMatchObject({ items: 2, failed: 2, notStarted: 1, stages: { x: 1 } });
    expect(schema.safeParse({ ...report, more: 1 }).success).toBe(false);
    expect(schema.safeParse({ ...report, items: [{ ...item, status: "lost" }] }).success).toBe(false);
  });
});
