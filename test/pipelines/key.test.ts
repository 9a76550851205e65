import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recipeOf } from "../../src/cache/recipe.ts";
import type { Json } from "../../src/digest.ts";
import { bind } from "../../src/pipelines/bind.ts";
import { difference, keysOf, partsOf, type StepParts } from "../../src/pipelines/key.ts";
import { parsePipelines } from "../../src/pipelines/load.ts";
import { file, stages } from "./fakes.ts";

const { pipelines } = parsePipelines(file, "/x/pipelines.yaml", stages);

async function last(given: Record<string, Json>, sets: string[] = [], source = "bytes", table = stages) {
  const bound = bind(pipelines["sum-bytes"]!, table, { output: "o", ...given }, sets);
  return keysOf(source, await partsOf(bound.steps, table)).at(-1)!;
}

describe("key", () => {
  it("stays when nothing that shapes the output changes", async () => {
    const { key } = await last({});
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect((await last({ input: ["elsewhere"], output: "p" }, ["weigh.threads=8"])).key).toBe(key);
    expect((await last({ scale: 1 })).key).toBe(key);
  });

  it("changes with each thing that shapes the output, and the difference names it", async () => {
    const before = await last({ every: 2 });
    const newer = { ...stages, weigh: { ...stages.weigh!, version: 3 } };
    const cases: [Promise<{ key: string; parts: never }>, string[]][] = [
      [last({ every: 2, scale: 0.3 }), ["weigh.scale: 1 → 0.3"]],
      [last({ every: 3 }), ["read-bytes.every: 2 → 3"]],
      [last({}), ["read-bytes.every: 2 → unset"]],
      [last({ every: 2 }, ["keep-sum.unit=kg"]), ['keep-sum.unit: "g" → "kg"']],
      [last({ every: 2 }, ["weigh.model=b"]), ["weigh.models.scales: ca97… → 3e23…"]],
      [last({ every: 2 }, [], "other"), ["source: bytes changed"]],
      [last({ every: 2 }, [], "bytes", newer), ["weigh.version: 1 → 3"]],
      [last({ scale: 2 }, [], "other"), ["source: bytes changed", "read-bytes.every: 2 → unset", "weigh.scale: 1 → 2"]],
    ] as never;
    const keys = new Set([before.key]);
    for (const [changed, told] of cases) {
      const { key, parts } = await changed;
      expect(difference(before.parts as unknown as Json, parts)).toEqual(told);
      keys.add(key);
    }
    expect(keys.size).toBe(cases.length + 1);
    expect(difference(before.parts as unknown as Json, before.parts)).toEqual([]);
  });

  it("differs wherever the parts do, and only there", () => {
    const step = fc.record({
      stage: fc.constantFrom("a", "b"),
      version: fc.integer({ min: 1, max: 2 }),
      options: fc.dictionary(fc.constantFrom("m", "n"), fc.constantFrom<Json>(0, 1, [1], { p: 1 }, { p: 2, q: null }), {
        noNullPrototype: true,
      }),
      models: fc.dictionary(fc.constant("w"), fc.constantFrom("1", "2"), { noNullPrototype: true }),
      files: fc.option(fc.record({ labels: fc.constantFrom("1", "2") }, { noNullPrototype: true }), { nil: undefined }),
    });
    const chain = fc.record({
      source: fc.constantFrom("s", "t"),
      steps: fc.array(step, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(chain, chain, (one, two) => {
        const [a, b] = [one, two].map(({ source, steps }) => keysOf(source, steps as StepParts[]).at(-1)!);
        const told = difference(JSON.parse(JSON.stringify(a!.parts)) as Json, b!.parts);
        expect(told.length === 0).toBe(a!.key === b!.key);
      }),
      { numRuns: 500 },
    );
  });

  it("names files beside a source that came, went or changed", () => {
    const step = { stage: "label-faces", version: 1, options: {}, models: {} };
    const parts = (files?: Record<string, string>) => ({ source: "s", steps: [files ? { ...step, files } : step] });
    const told = (before?: Record<string, string>, now?: Record<string, string>) =>
      difference(parts(before) as unknown as Json, parts(now));
    expect(told({ labels: "aaaaa" }, { labels: "bbbbb" })).toEqual(["label-faces.files.labels: aaaa… → bbbb…"]);
    expect(told(undefined, { labels: "bbbbb" })).toEqual(["label-faces.files.labels: none → bbbb…"]);
    expect(told({ labels: "aaaaa" })).toEqual(["label-faces.files.labels: aaaa… → none"]);
    expect(recipeOf(parts({ labels: "a" }) as unknown as Json)).toBe(recipeOf(parts() as unknown as Json));
  });

  it("names steps that came, went or moved, and parts in a form of another time", () => {
    const step = (stage: string): StepParts => ({ stage, version: 1, options: {}, models: {} });
    const parts = (...names: string[]) => ({ source: "s", steps: names.map(step) });
    const told = (before: string[], now: string[]) => difference(parts(...before) as unknown as Json, parts(...now));
    expect(told(["a", "b"], ["a", "c"])).toEqual(["b: step removed", "c: step added"]);
    expect(told(["a", "b"], ["b", "a"])).toEqual(["steps: a, b → b, a"]);
    expect(told(["a"], ["a", "a"])).toEqual(["a#2: step added"]);
    expect(difference({ old: true }, parts("a"))).toEqual(["key parts: written in another form"]);
  });
});
