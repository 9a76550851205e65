import { rename, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { type PlanItem, plan } from "../../src/pipelines/plan.ts";
import { run } from "../../src/pipelines/run.ts";
import { file, seen, stages } from "./fakes.ts";
import { temporary } from "./temporary.ts";

const pipeline = parsePipelines(file, "/x/pipelines.yaml", stages).pipelines["sum-bytes"]!;
let input: string;
let output: string;

beforeEach(async () => {
  input = await temporary();
  output = await temporary();
  await writeFile(path.join(input, "a"), "abc");
  await writeFile(path.join(input, "b"), "bcde");
  seen.begun = [];
});

async function planned(given: Record<string, Json> = {}, sets: string[] = [], rest = {}): Promise<PlanItem[]> {
  const bound = bind(pipeline, stages, { input: [input], output, ...given }, sets);
  const items: PlanItem[] = [];
  for await (const { item } of plan(bound, { stages, ...rest })) items.push(item);
  return items;
}

async function ran(given: Record<string, Json> = {}) {
  return run(bind(pipeline, stages, { input: [input], output, ...given }), { stages });
}

const brief = (items: PlanItem[]) => items.map(({ source, action, why }) => [source.name, action, why]);

describe("plan", () => {
  it("is plain data: what to do with each source, and why", async () => {
    await writeFile(path.join(input, "c.no"), "");
    const items = await planned();
    expect(JSON.parse(JSON.stringify(items))).toEqual(items);
    expect(brief(items)).toEqual([
      ["a", "run", "not published yet"],
      ["b", "run", "not published yet"],
      ["c.no", "refused", "not a video"],
    ]);
    expect(items[0]).toMatchObject({ changed: [], key: expect.stringMatching(/^[0-9a-f]{64}$/), source: { bytes: 3 } });
    expect(items[2]!.key).toBeNull();
    expect(seen.begun).toEqual([]);
  });

  it("finds what was published, touched or not, and names what changed", async () => {
    await ran();
    await utimes(path.join(input, "a"), 1, 2);
    expect((await planned()).map((item) => item.action)).toEqual(["cached", "cached"]);
    expect((await planned({}, [], { force: true })).map((item) => item.why)).toEqual(["forced", "forced"]);
    await writeFile(path.join(input, "a"), "abd");
    expect(brief(await planned({ scale: 2 }, ["weigh.model=b"]))).toEqual([
      ["a", "run", "source: bytes changed; weigh.scale: 1 → 2; weigh.models.scales: ca97… → 3e23…"],
      ["b", "run", "weigh.scale: 1 → 2; weigh.models.scales: ca97… → 3e23…"],
    ]);
    expect((await planned({ scale: 2 }))[1]!.changed).toEqual(["weigh.scale: 1 → 2"]);
  });

  it("compares with the nearest of what is published", async () => {
    await ran({ scale: 2, every: 2 });
    await ran({ scale: 2 });
    expect((await planned({ scale: 3 })).map((item) => item.changed)).toEqual([
      ["weigh.scale: 2 → 3"],
      ["weigh.scale: 2 → 3"],
    ]);
  });

  it("does not let other options take a result's place unasked, and says when a newer model does, where a sink keeps one a source", async () => {
    const keepSum = { ...stages["keep-sum"]!, keepsOne: true as const };
    const one = { ...stages, "keep-sum": keepSum };
    await ran();
    await writeFile(path.join(input, "c"), "new");
    const replaces = async (given: Record<string, Json>, sets: string[] = [], rest = {}) =>
      (await planned(given, sets, { stages: one, ...rest })).map((item) => item.replaces ?? "");
    expect(await replaces({})).toEqual(["", "", ""]);
    expect(await replaces({ scale: 2 })).toEqual(["other", "other", ""]);
    expect(await replaces({ scale: 2 }, ["weigh.model=b"])).toEqual(["other", "other", ""]);
    // A model that was trained anew does the same work anew.
    expect(await replaces({}, ["weigh.model=b"])).toEqual(["newer", "newer", ""]);
    expect(await replaces({ scale: 2 }, [], { force: true })).toEqual(["", "", ""]);
    expect((await planned({ scale: 2 })).some((item) => item.replaces)).toBe(false);
    // An edited source is another one, and a new version of a stage does the same work anew.
    await writeFile(path.join(input, "a"), "abd");
    expect(await replaces({ scale: 2 })).toEqual(["", "other", ""]);
    const newer = { ...one, "keep-sum": { ...keepSum, version: 3 } };
    expect(await replaces({}, [], { stages: newer })).toEqual(["", "", ""]);

    const other = bind(pipeline, stages, { input: [input], output, scale: 2 });
    await expect(run(other, { stages: one as unknown as typeof stages })).rejects.toMatchObject({
      message: `${output} holds another result for b: weigh.scale: 1 → 2.`,
      hint: expect.stringContaining("--force"),
    });
    const forced = await run(other, { stages: one as unknown as typeof stages, force: true });
    expect(forced.report.totals).toMatchObject({ done: 3, failed: 0 });
  });

  it("gives equal bytes equal keys, whatever their name", async () => {
    const [before] = await planned();
    await rename(path.join(input, "a"), path.join(input, "z"));
    expect((await planned()).at(-1)).toMatchObject({ key: before!.key, source: { name: "z" } });
  });

  it("looks at no more sources than asked, and at each model once", async () => {
    seen.models = 0;
    expect(await planned({}, [], { limit: 1 })).toHaveLength(1);
    expect(await planned()).toHaveLength(2);
    expect(seen.models).toBe(2);
  });
});
